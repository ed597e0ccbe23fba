//! A balancer for measuring: the real program over real tables, configured by a file, with next hops that are made up.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Result, anyhow};
use lightpath_control::config;
use lightpath_control::health::View;
use lightpath_control::hops::{Hop, NextHop, Vlans};
use lightpath_control::model::Config;
use lightpath_control::reconcile::{Hops, Reconciler, Surroundings};
use lightpath_dataplane::bench::Subject;
use lightpath_dataplane::{Dataplane, Pins};

use super::frame::{OWN_MAC, PEER_MAC, PORT, VIP4, VIP6, backend};
use crate::daemon::{Kernel, spec};

/// What is configured while a row is measured: features only what it needs, as for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Configuration {
    pub(super) forward: Forward,
    pub(super) v6: bool,
    /// Services, of which one gets the packets.
    pub(super) services: u16,
    /// All slots have just got another backend.
    pub(super) moving: bool,
    /// Sessions of `fullnat` that there is room for.
    pub(super) sessions: u32,
}

/// How packets reach backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Forward {
    Nat,
    Dsr,
    Ipip,
    Gue,
    FullNat,
}

impl Forward {
    /// As a configuration says it.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::Dsr => "dsr",
            Self::Ipip => "ipip",
            Self::Gue => "gue",
            Self::FullNat => "fullnat",
        }
    }
}

/// What most is measured with.
pub(super) const NAT4: Configuration =
    Configuration { forward: Forward::Nat, v6: false, services: 1, moving: false, sessions: 1 };

/// The link of every host that is measured.
pub(super) const LINK: &str = "eth0";
/// The address of such a host.
pub(super) const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// Backends of each service.
pub(super) const BACKENDS: u16 = 3;

/// A program and its tables.
#[derive(Debug)]
pub(super) struct Balancer {
    pub(super) kernel: Kernel,
    pub(super) subject: Subject,
}

impl Balancer {
    /// Loads it, and fills its tables; packets leave by this interface.
    pub(super) fn load(configuration: Configuration, pins: &Pins, interface: u32) -> Result<Self> {
        let weights = if configuration.moving { [1, 0, 0] } else { [1, 1, 1] };
        let config = parsed(&file(configuration, weights))?;
        let mut spec = spec(&config, &Vlans::default())?;
        spec.capacity.sessions = configuration.sessions;
        let hops = hops(&config, interface);
        let mut kernel = Kernel(Dataplane::open(pins, &spec)?);
        let mut reconciler = Reconciler::new(config, &kernel.0.tables());
        reconcile(&mut reconciler, &hops, &mut kernel)?;
        if configuration.moving {
            reconciler.configure(parsed(&file(configuration, [0, 1, 1]))?);
            reconcile(&mut reconciler, &hops, &mut kernel)?;
        }
        let subject = Subject::balancer(&kernel.0)?;
        Ok(Self { kernel, subject })
    }
}

/// Brings tables up to date, on a host where nothing is known but next hops.
pub(super) fn reconcile(reconciler: &mut Reconciler, hops: &Hops, kernel: &mut Kernel) -> Result<()> {
    let surroundings = Surroundings {
        hops,
        health: &View::default(),
        addresses: &BTreeSet::new(),
        vlans: &Vlans::new(),
        merged: false,
    };
    reconciler.reconcile(surroundings, kernel)?;
    Ok(())
}

/// A configuration file, read.
pub(super) fn parsed(file: &str) -> Result<Config> {
    config::parse(file, "the configuration of a row").map_err(|problems| anyhow!("{problems}"))
}

/// A configuration file: the first service, by TCP and UDP, is the one that packets are sent to.
fn file(configuration: Configuration, weights: [u16; BACKENDS as usize]) -> String {
    let Configuration { forward, v6, services, .. } = configuration;
    let mut text = format!("[node]\ninterfaces = [\"{LINK}\"]\nsnat_addresses = [\"10.0.1.0/24\"]\n");
    let vip: IpAddr = if v6 { VIP6.into() } else { VIP4.into() };
    for protocol in ["tcp", "udp"] {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "[[service]]\nname = \"{protocol}\"\nvip = \"{vip}\"\nport = {PORT}\nprotocol = \"{protocol}\"\nforward = \"{}\"\n",
            forward.key()
        );
        for (number, weight) in (1..).zip(weights) {
            let address = backend(v6, number);
            let _ = writeln!(text, "[[service.backend]]\naddress = \"{address}\"\nweight = {weight}");
        }
    }
    for number in 1..services {
        let [high, low] = number.to_be_bytes();
        let _ = write!(
            text,
            "[[service]]\nname = \"other{number}\"\nvip = \"198.18.{high}.{low}\"\nport = {PORT}\nprotocol = \"tcp\"\n\
             forward = \"{}\"\nslots = 251\n",
            forward.key()
        );
        for place in 1..=BACKENDS {
            let address = backend(v6, number * BACKENDS + place);
            let _ = writeln!(text, "[[service.backend]]\naddress = \"{address}\"");
        }
    }
    text
}

/// Next hops by the link where packets arrive, so that they leave by XDP_TX.
pub(super) fn hops(config: &Config, interface: u32) -> Hops {
    let hop = NextHop {
        interface,
        interface_name: LINK.to_owned(),
        source_mac: OWN_MAC,
        mac: PEER_MAC,
        vlan: None,
        mtu: 1500,
        source: Some(OWN.into()),
    };
    let backends = config.services.iter().flat_map(|service| &service.backends);
    backends.map(|backend| (backend.address, Hop::Resolved(hop.clone()))).collect()
}
