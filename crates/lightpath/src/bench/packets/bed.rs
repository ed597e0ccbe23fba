//! Where packets are measured: a host with one link, and a balancer for each configuration that rows ask for.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, Result};
use ipnet::IpNet;
use lightpath_dataplane::bench::Subject;
use lightpath_dataplane::{Pins, ProgramFigures};
use lightpath_lab::{Namespace, Route, veth};

use crate::bench::balancer::{Balancer, Configuration, LINK, OWN};
use crate::bench::frame::{OWN_MAC, PEER_MAC};

/// The host, and the balancers loaded on it.
#[derive(Debug)]
pub(super) struct Bed {
    /// Index of the link that packets arrive and leave by.
    pub(super) interface: u32,
    balancers: BTreeMap<Configuration, Balancer>,
    /// The other end of the link, which would go with it.
    _other: Namespace,
}

/// Who routes this host's replies on.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);

impl Bed {
    /// Makes the host, and moves the calling thread into it.
    pub(super) fn build() -> Result<Self> {
        lightpath_lab::isolate()?;
        let (host, other) = (Namespace::new("bench")?, Namespace::new("other")?);
        veth((&host, LINK), (&other, LINK))?;
        host.set_mac(LINK, OWN_MAC)?;
        host.forward_packets()?;
        host.add_address(LINK, IpNet::new(OWN.into(), 24)?)?;
        host.add_neighbour(LINK, ROUTER.into(), PEER_MAC)?;
        host.add_route(&Route::to("198.51.0.0/16".parse()?).via(ROUTER.into()).dev(LINK))?;
        host.enter()?;
        let interface = host.ifindex(LINK)?;
        Ok(Self { interface, balancers: BTreeMap::new(), _other: other })
    }

    /// The program so configured, over tables that are filled.
    pub(super) fn balancer(&mut self, configuration: Configuration) -> Result<&Subject> {
        if !self.balancers.contains_key(&configuration) {
            let name = format!("bench{}", self.balancers.len());
            let pins = Pins::new(Path::new("/sys/fs/bpf"), &name);
            let balancer = Balancer::load(configuration, &pins, self.interface).with_context(|| {
                format!("{} with {} services", configuration.forward.key(), configuration.services)
            })?;
            self.balancers.insert(configuration, balancer);
        }
        let balancer = self.balancers.get(&configuration).context("no balancer")?;
        Ok(&balancer.subject)
    }

    /// What the kernel says of a program.
    pub(super) fn program(&self, configuration: Configuration) -> Result<Option<ProgramFigures>> {
        Ok(self.balancers.get(&configuration).map(|balancer| balancer.kernel.0.info()).transpose()?)
    }
}
