//! Where packets are measured: a host with one link, and a balancer for each configuration that rows ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use lightpath_control::config;
use lightpath_control::health::View;
use lightpath_control::hops::{Hop, NextHop, Vlans};
use lightpath_control::model::Config;
use lightpath_control::reconcile::{Hops, Reconciler, Surroundings};
use lightpath_dataplane::bench::Subject;
use lightpath_dataplane::{Dataplane, Pins, ProgramFigures};
use lightpath_lab::{Namespace, Route, veth};

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
    fn key(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::Dsr => "dsr",
            Self::Ipip => "ipip",
            Self::Gue => "gue",
            Self::FullNat => "fullnat",
        }
    }
}

/// The host, and the balancers loaded on it.
#[derive(Debug)]
pub(super) struct Bed {
    /// Index of the link that packets arrive and leave by.
    pub(super) interface: u32,
    balancers: BTreeMap<Configuration, Balancer>,
    /// The other end of the link, which would go with it.
    _other: Namespace,
}

#[derive(Debug)]
struct Balancer {
    kernel: Kernel,
    subject: Subject,
}

/// The link.
const LINK: &str = "eth0";
/// Where this host is, and who routes its replies on.
const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);
const BACKENDS: u16 = 3;

impl Bed {
    /// Makes the host, and moves the calling thread into it.
    pub(super) fn build() -> Result<Self> {
        lightpath_lab::isolate()?;
        let (host, other) = (Namespace::new("bench")?, Namespace::new("other")?);
        veth((&host, LINK), (&other, LINK))?;
        host.set_mac(LINK, OWN_MAC)?;
        host.forward_packets()?;
        host.add_address(LINK, "10.0.0.1/24".parse()?)?;
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
            let balancer = load(configuration, &pins, self.interface).with_context(|| {
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

fn load(configuration: Configuration, pins: &Pins, interface: u32) -> Result<Balancer> {
    let weights = if configuration.moving { [1, 0, 0] } else { [1, 1, 1] };
    let config = parsed(&file(configuration, weights))?;
    let mut spec = spec(&config)?;
    spec.capacity.sessions = configuration.sessions;
    let hops = hops(&config, interface);
    let surroundings = Surroundings {
        hops: &hops,
        health: &View::default(),
        addresses: &BTreeSet::new(),
        vlans: &Vlans::new(),
        merged: false,
    };
    let mut kernel = Kernel(Dataplane::open(pins, &spec)?);
    let mut reconciler = Reconciler::new(config, &kernel.0.tables());
    reconciler.reconcile(surroundings, &mut kernel)?;
    if configuration.moving {
        reconciler.configure(parsed(&file(configuration, [0, 1, 1]))?);
        reconciler.reconcile(surroundings, &mut kernel)?;
    }
    let subject = Subject::balancer(&kernel.0)?;
    Ok(Balancer { kernel, subject })
}

fn parsed(file: &str) -> Result<Config> {
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
fn hops(config: &Config, interface: u32) -> Hops {
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
