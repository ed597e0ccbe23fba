//! A network with a balancer in it, and nothing running yet.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use lightpath_dataplane::{PassProgram, attach_pass};
use lightpath_lab::topology::{Addresses, Host, OneArmed, TwoArmed, plan};
use lightpath_lab::{KillOnDrop, Namespace, http_get, isolate};

use super::Balancer;

/// Gives the test's thread a file system of its own, and a directory in it.
pub(crate) fn isolated() -> PathBuf {
    isolate().unwrap_or_else(|error| panic!("this test needs root: {error}"))
}

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The address of this family.
    pub(crate) fn of(self, addresses: Addresses) -> IpAddr {
        match self {
            Self::V4 => addresses.v4.into(),
            Self::V6 => addresses.v6.into(),
        }
    }

    /// A VIP, by its host number.
    pub(crate) fn vip(self, host: u8) -> IpAddr {
        self.of(plan::VIPS.host(host))
    }
}

/// A network of the lab, in which the balancer is `balancer` and its files are in `scratch`.
#[derive(Debug)]
pub(crate) struct Bed {
    pub(crate) balancer: Balancer,
    /// Interfaces of the balancer to attach to.
    pub(crate) interfaces: &'static [&'static str],
    pub(crate) client: Host,
    pub(crate) backends: Vec<Host>,
    pub(crate) switch: Namespace,
    /// A directory that is this test's alone.
    pub(crate) scratch: PathBuf,
    /// What forwards between client and balancer, unless the balancer does.
    pub(crate) router: Option<Host>,
    /// The far end of the balancer's link takes what XDP transmits only while it has a program.
    _pass: PassProgram,
}

impl Bed {
    /// The balancer has one interface, in the segment of its backends, behind a router.
    pub(crate) fn one_armed(backends: u8) -> Self {
        let scratch = isolated();
        let OneArmed { client, router, balancer, backends, switch } = OneArmed::new(backends).unwrap();
        let pass = switch.run(|| attach_pass("to-balancer")).unwrap().unwrap();
        Self {
            balancer: Balancer::new(&balancer.ns, &scratch, "default"),
            interfaces: &["eth0"],
            client,
            backends,
            switch,
            scratch,
            router: Some(router),
            _pass: pass,
        }
    }

    /// The balancer is between its clients and its backends.
    pub(crate) fn two_armed(backends: u8) -> Self {
        let scratch = isolated();
        let TwoArmed { client, balancer, backends, switch } = TwoArmed::new(backends).unwrap();
        let pass = switch.run(|| attach_pass("to-balancer")).unwrap().unwrap();
        Self {
            balancer: Balancer::new(&balancer.ns, &scratch, "default"),
            interfaces: &["eth0", "eth1"],
            client,
            backends,
            switch,
            scratch,
            router: None,
            _pass: pass,
        }
    }

    /// Has the backends accept packets to a VIP, for `dsr`.
    pub(crate) fn accept_vip(&self, vip: IpAddr) {
        self.backends.iter().for_each(|backend| backend.accept_vip(vip).unwrap());
    }

    /// Has packets to a service dropped while it is looked for examples of that.
    pub(crate) fn look_for_an_example(&self, refused: SocketAddr) {
        let mut command = self.balancer.command(&["drops"]);
        let mut looking = KillOnDrop(command.stdout(Stdio::null()).spawn().unwrap());
        while looking.0.try_wait().unwrap().is_none() {
            http_get(&self.client.ns, None, refused, Duration::from_secs(5)).unwrap_err();
        }
    }

    /// The backends' addresses of one family.
    pub(crate) fn addresses(&self, family: Family) -> Vec<IpAddr> {
        self.backends.iter().map(|backend| family.of(backend.address)).collect()
    }
}
