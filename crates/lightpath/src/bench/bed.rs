//! What is measured: packets, and a configuration that forwards them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use anyhow::{Result, anyhow};
use lightpath_control::config;
use lightpath_control::health::View;
use lightpath_control::hops::{Hop, NextHop, Vlans};
use lightpath_control::reconcile::{Hops, Reconciler, Surroundings};
use lightpath_core::wire::{TCP, UDP, ethernet};
use lightpath_dataplane::bench::{Stopwatch, Traffic};
use lightpath_dataplane::{Dataplane, Pins, ProgramFigures};

use crate::daemon::{Kernel, spec};

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) flows: u32,
    /// What the program must return, an `XDP_*` number.
    pub(super) action: u32,
    configuration: Configuration,
    packet: Packet,
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    v6: bool,
    protocol: u8,
    vip: bool,
}

/// What is configured while a row is measured: each features only what it needs, as for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Configuration {
    Nat4,
    Dsr4,
    Nat6,
}

const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;

const TCP4: Packet = Packet { v6: false, protocol: TCP, vip: true };
const UDP4: Packet = Packet { v6: false, protocol: UDP, vip: true };
const TCP6: Packet = Packet { v6: true, protocol: TCP, vip: true };
const NOBODYS: Packet = Packet { vip: false, ..TCP4 };

/// All rows.
pub(super) const ROWS: [Row; 10] = [
    row("TCP4 established, nat", 1, Configuration::Nat4, TCP4),
    row("TCP4 established, nat", 1 << 16, Configuration::Nat4, TCP4),
    row("TCP4 established, nat", 1 << 19, Configuration::Nat4, TCP4),
    row("TCP4 established, dsr", 1, Configuration::Dsr4, TCP4),
    row("TCP4 established, dsr", 1 << 19, Configuration::Dsr4, TCP4),
    row("UDP4, nat", 1, Configuration::Nat4, UDP4),
    row("UDP4, nat", 1 << 16, Configuration::Nat4, UDP4),
    row("TCP6 established, nat", 1, Configuration::Nat6, TCP6),
    row("TCP6 established, nat", 1 << 16, Configuration::Nat6, TCP6),
    Row { action: XDP_PASS, ..row("TCP4 for nobody", 1, Configuration::Nat4, NOBODYS) },
];

const fn row(name: &'static str, flows: u32, configuration: Configuration, packet: Packet) -> Row {
    Row { name, flows, action: XDP_TX, configuration, packet }
}

/// The balancers that are measured, in a private file system.
#[derive(Debug)]
pub(super) struct Bed {
    balancers: BTreeMap<Configuration, Kernel>,
}

/// The loopback interface, which every network namespace has.
const INTERFACE: u32 = 1;
const CLIENT4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);
const VIP4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
const NOBODY4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 99);
const CLIENT6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0xc, 0, 0, 0, 0x10);
const VIP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0xf, 0, 0, 0, 0x10);

impl Bed {
    /// Loads a balancer for each configuration.
    pub(super) fn build() -> Result<Self> {
        lightpath_lab::isolate()?;
        let mut balancers = BTreeMap::new();
        for configuration in [Configuration::Nat4, Configuration::Dsr4, Configuration::Nat6] {
            let name = format!("{configuration:?}");
            let pins = Pins::new(Path::new("/sys/fs/bpf"), &name);
            let config =
                config::parse(&file(configuration), &name).map_err(|problems| anyhow!("{problems}"))?;
            let hops = hops(
                config.services.iter().flat_map(|service| &service.backends).map(|backend| backend.address),
            );
            let mut kernel = Kernel(Dataplane::open(&pins, &spec(&config)?)?);
            let surroundings = Surroundings {
                hops: &hops,
                health: &View::default(),
                addresses: &BTreeSet::new(),
                vlans: &Vlans::new(),
                merged: false,
            };
            Reconciler::new(config, &kernel.0.tables()).reconcile(surroundings, &mut kernel)?;
            balancers.insert(configuration, kernel);
        }
        Ok(Self { balancers })
    }

    /// The stopwatch of a row.
    pub(super) fn stopwatch(&self, row: Row) -> Result<Stopwatch> {
        let kernel =
            self.balancers.get(&row.configuration).ok_or_else(|| anyhow!("no balancer for {}", row.name))?;
        let traffic = Traffic { packet: packet(row.packet), interface: INTERFACE, flows: row.flows };
        Ok(Stopwatch::of_balancer(&kernel.0, traffic)?)
    }

    /// The IPv4 `nat` program.
    pub(super) fn program(&self) -> Result<ProgramFigures> {
        let kernel =
            self.balancers.get(&Configuration::Nat4).ok_or_else(|| anyhow!("no balancer for nat"))?;
        Ok(kernel.0.info()?)
    }
}

/// What the floor is measured with.
pub(super) fn floor_traffic() -> Traffic {
    Traffic { packet: packet(TCP4), interface: INTERFACE, flows: 1 }
}

/// A configuration file with three backends.
fn file(configuration: Configuration) -> String {
    let (vip, forward, network) = match configuration {
        Configuration::Nat4 => (IpAddr::from(VIP4), "nat", "10.0.0.1"),
        Configuration::Dsr4 => (VIP4.into(), "dsr", "10.0.0.1"),
        Configuration::Nat6 => (VIP6.into(), "nat", "2001:db8:0:1::1"),
    };
    let backends =
        [1, 2, 3].map(|last| format!("[[service.backend]]\naddress = \"{network}{last}\"\n")).concat();
    let service = |protocol: &str| {
        format!(
            "[[service]]\nname = \"{protocol}\"\nvip = \"{vip}\"\nport = 80\nprotocol = \"{protocol}\"\nforward = \"{forward}\"\n\
             {backends}"
        )
    };
    format!("[node]\ninterfaces = [\"lo\"]\n{}{}", service("tcp"), service("udp"))
}

/// Next hops on the interface where packets arrive, so that they leave by XDP_TX.
fn hops(addresses: impl Iterator<Item = IpAddr>) -> Hops {
    let hop = NextHop {
        interface: INTERFACE,
        interface_name: "lo".to_owned(),
        source_mac: [2, 0, 0, 0, 0, 1],
        mac: [2, 0, 0, 0, 0, 2],
        vlan: None,
        mtu: 1500,
        source: None,
    };
    addresses.map(|address| (address, Hop::Resolved(hop.clone()))).collect()
}

/// A packet without payload, of 64 bytes in IPv4. Checksums are zero: nobody looks at them here, they are only updated.
fn packet(kind: Packet) -> Vec<u8> {
    let mut bytes = vec![0; 12];
    let transport_length: u16 = if kind.protocol == TCP { 20 } else { 8 };
    if kind.v6 {
        bytes.extend(ethernet::IPV6.to_be_bytes());
        bytes.extend([0x60, 0, 0, 0]);
        bytes.extend(transport_length.to_be_bytes());
        bytes.extend([kind.protocol, 64]);
        bytes.extend(CLIENT6.octets());
        bytes.extend(VIP6.octets());
    } else {
        bytes.extend(ethernet::IPV4.to_be_bytes());
        bytes.extend([0x45, 0]);
        bytes.extend((20 + transport_length).to_be_bytes());
        bytes.extend([0, 0, 0x40, 0, 64, kind.protocol, 0, 0]);
        bytes.extend(CLIENT4.octets());
        bytes.extend(if kind.vip { VIP4 } else { NOBODY4 }.octets());
    }
    bytes.extend(40_000_u16.to_be_bytes());
    bytes.extend(80_u16.to_be_bytes());
    if kind.protocol == TCP {
        // Sequence and acknowledgement, a header of 20 bytes, ACK, a window.
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0x12, 0x34, 0, 0]);
    } else {
        bytes.extend([0, 8, 0x12, 0x34]);
    }
    bytes.resize(bytes.len().max(64), 0);
    bytes
}
