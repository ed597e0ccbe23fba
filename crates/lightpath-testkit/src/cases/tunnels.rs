//! Clients' packets that go to their backend in a tunnel.

use std::net::IpAddr;

use lightpath_abi::Features;
use lightpath_core::{FlowHash, HashKey, SlicePacket, parse};

use super::{CLIENT4, CLIENT6, Case};
use crate::Action;
use crate::node::{BACK_MAC, BACKEND_MAC, Node};
use crate::packet::{PacketBuilder, tcp};
use crate::{Service, service};

const VIP4: &str = "203.0.113.30";
const VIP6: &str = "2001:db8:a::30";
const NODE4: &str = "10.0.0.1";
const NODE6: &str = "fd00::1";
/// The seed of the table's configuration.
const SEED: &str = "testkit";

/// A service for each pair of families and each kind of tunnel.
pub(super) fn services(node: &Node) -> Vec<Service> {
    let back = node.backend_hop();
    let mut services = Vec::new();
    for (name, vip, port, backend) in TUNNELS {
        services.push(service(&format!("ipip {name}"), vip, port).ipip().backend(backend, back));
        services.push(service(&format!("gue {name}"), vip, port + 1).gue().backend(backend, back));
    }
    services
}

/// Inner and outer family, VIP, port of the IPIP service (GUE has the next), and backend.
const TUNNELS: [(&str, &str, u16, &str); 4] = [
    ("4 in 4", VIP4, 40, "10.0.0.40"),
    ("4 in 6", VIP4, 46, "fd00::40"),
    ("6 in 4", VIP6, 64, "10.0.0.64"),
    ("6 in 6", VIP6, 66, "fd00::66"),
];

pub(super) fn cases() -> Vec<Case> {
    let mut rows = Vec::new();
    for (name, vip, port, backend) in TUNNELS {
        for gue in [false, true] {
            let tunnel = Tunnel { name, vip, port: port + u16::from(gue), backend, gue };
            rows.extend(tunnel.cases());
        }
    }
    rows
}

struct Tunnel {
    name: &'static str,
    vip: &'static str,
    port: u16,
    backend: &'static str,
    gue: bool,
}

impl Tunnel {
    fn cases(&self) -> Vec<Case> {
        vec![
            self.with("a plain packet", |packet| packet),
            self.with("no payload", |packet| packet.payload(b"")),
            self.with("an odd payload", |packet| packet.payload(b"odd")),
            self.with("DSCP and ECN go outward", |packet| packet.tos(0b1011_1011)),
            self.with("padding stays", |packet| packet.payload(b"").padding(6)),
            self.with("the largest packet", |packet| packet.payload(&vec![7; self.room()])),
            self.with("the last hop but one", |packet| packet.ttl(2)),
            self.received("tags come off", |packet| packet.qinq(7, 8)),
        ]
    }

    /// Bytes of payload in a packet that just fits the way to the backend.
    fn room(&self) -> usize {
        let overhead = if self.backend.contains(':') { 40 } else { 20 } + if self.gue { 8 } else { 0 };
        1500 - overhead - if self.vip.contains(':') { 60 } else { 40 }
    }

    fn packet(&self) -> PacketBuilder {
        let vip: IpAddr = self.vip.parse().expect("an address");
        let client = if vip.is_ipv4() { CLIENT4 } else { CLIENT6 };
        tcp(client, &std::net::SocketAddr::new(vip, self.port).to_string())
    }

    /// A row in which the packet inside is decorated too.
    fn with(&self, what: &str, decorate: impl Fn(PacketBuilder) -> PacketBuilder) -> Case {
        let received = decorate(self.packet());
        let ttl = received.ttl - 1;
        let sent = self.sent(received.clone().ttl(ttl));
        self.case(what, &received, &sent)
    }

    fn received(&self, what: &str, decorate: impl Fn(PacketBuilder) -> PacketBuilder) -> Case {
        self.case(what, &decorate(self.packet()), &self.sent(self.packet().ttl(63)))
    }

    fn case(&self, what: &str, received: &PacketBuilder, sent: &PacketBuilder) -> Case {
        let kind = if self.gue { "gue" } else { "ipip" };
        Case::send(&format!("{kind}, {}: {what}", self.name), Action::Redirect, received, sent)
    }

    fn sent(&self, inside: PacketBuilder) -> PacketBuilder {
        let source = if self.backend.contains(':') { NODE6 } else { NODE4 };
        let hash = hash(&inside);
        let inside = inside.macs(BACKEND_MAC, BACK_MAC);
        let outer = if self.gue {
            inside.in_gue(source, hash.source_port(), self.backend)
        } else {
            inside.in_ip(source, self.backend)
        };
        outer.outer_label(hash.flow_label())
    }
}

/// The hash of a packet's flow, which spreads it.
pub(super) fn hash(packet: &PacketBuilder) -> FlowHash {
    let frame = parse(&SlicePacket(&mut packet.build()), Features::ALL).expect("a packet of a flow");
    FlowHash::of_flow(HashKey::from_seed(SEED), &frame)
}
