//! `fullnat`: clients' packets and backends' replies, in sessions that earlier packets have opened.

mod errors;

use std::net::SocketAddr;

use lightpath_core::Reason;

use super::{CLIENT4, Case, contents, run_on_host};
use crate::Action;
use crate::node::{BACK_MAC, BACKEND_MAC, CLIENT_MAC, FRONT_MAC, Node};
use crate::packet::{ACK, FIN, PSH, PacketBuilder, RST, SYN, tcp, udp};
use crate::{Service, service};

const VIP4: &str = "203.0.113.50";
const VIP6: &str = "2001:db8:a::50";
const NODE4: &str = "10.0.0.1";
const NODE6: &str = "fd00::1";

/// The ports that the node sends from: few, so that they can run out.
pub(super) const PORTS: (u16, u16) = (61_000, 61_007);

/// Name, VIP, its port, backend.
const TCP: [(&str, &str, u16, &str); 4] = [
    ("TCP over IPv4", VIP4, 80, "10.0.0.50:8080"),
    ("TCP over IPv6", VIP6, 80, "[fd00::50]:8080"),
    ("TCP, IPv6 to IPv4", VIP6, 81, "10.0.0.51:8081"),
    ("TCP, IPv4 to IPv6", VIP4, 81, "[fd00::51]:8081"),
];
const UDP: [(&str, &str, u16, &str); 4] = [
    ("UDP over IPv4", VIP4, 53, "10.0.0.53:5353"),
    ("UDP over IPv6", VIP6, 53, "[fd00::53]:5353"),
    ("UDP, IPv6 to IPv4", VIP6, 54, "10.0.0.54:5354"),
    ("UDP, IPv4 to IPv6", VIP4, 54, "[fd00::54]:5354"),
];
/// Services that only some rows use, so that others leave their ports alone: VIP's port and backend.
const CROWDED: (u16, &str) = (82, "10.0.0.55:82");
const REUSED: (u16, &str) = (83, "10.0.0.56:83");

pub(super) fn services(node: &Node) -> Vec<Service> {
    let back = node.backend_hop();
    let of = |(name, vip, port, backend): &(&str, &str, u16, &str)| {
        service(&format!("fullnat {name}"), vip, *port).fullnat().backend(backend, back)
    };
    let mut services: Vec<Service> = TCP.iter().map(of).collect();
    services.extend(UDP.iter().map(of).map(Service::udp));
    for (port, backend) in [CROWDED, REUSED] {
        services.push(service(&format!("fullnat {port}"), VIP4, port).fullnat().backend(backend, back));
    }
    let tagged = lightpath_abi::NextHop { vlan: 100, ..back };
    let spread = service("fullnat spread", VIP4, 84).fullnat().from_source(3);
    services.extend([
        service("fullnat empty", VIP4, 90).fullnat().slots(&[0]),
        service("fullnat sourceless", VIP4, 91).fullnat().from_source(5).backend("10.0.0.57:91", back),
        service("fullnat range", VIP4, 8000..=8007).fullnat().backend("10.0.0.58", back),
        service("fullnat tagged", VIP6, 85).fullnat().backend("10.0.0.59:85", tagged),
        spread.backend("10.0.0.60:84", back),
    ]);
    services
}

pub(super) fn cases() -> Vec<Case> {
    let mut rows = Vec::new();
    let mut clients = Clients(20_000);
    for (name, vip, port, backend) in TCP {
        rows.extend(Path { name, vip, port, backend, udp: false }.tcp_cases(&mut clients));
    }
    for (name, vip, port, backend) in UDP {
        rows.extend(Path { name, vip, port, backend, udp: true }.udp_cases(&mut clients));
    }
    rows.extend(links(&mut clients));
    rows.extend(translation(&mut clients));
    rows.extend(ends(&mut clients));
    rows.extend(refused(&mut clients));
    rows.extend(errors::cases(&mut clients));
    rows
}

/// Rows of the kernel's table follow one another on the same sessions, so each has a client of its own.
struct Clients(u16);

impl Clients {
    fn next(&mut self) -> u16 {
        self.0 += 1;
        self.0
    }
}

/// One service, and its one backend.
#[derive(Clone, Copy)]
struct Path {
    name: &'static str,
    vip: &'static str,
    port: u16,
    backend: &'static str,
    udp: bool,
}

/// A flow of a service, and the port by which its backend knows it.
struct Flow {
    path: Path,
    client: String,
    node: String,
    /// The packet that opens it.
    first: PacketBuilder,
}

/// What is added to a packet.
type Decorate = fn(PacketBuilder) -> PacketBuilder;

fn endpoint(address: &str, port: u16) -> String {
    SocketAddr::new(address.parse().expect("an address"), port).to_string()
}

impl Path {
    fn packet(self, source: &str, destination: &str) -> PacketBuilder {
        if self.udp { udp(source, destination) } else { tcp(source, destination) }
    }

    /// The flow from a port of the client.
    fn flow(self, port: u16) -> Flow {
        let client = if self.vip.contains(':') { "2001:db8:1::10" } else { "198.51.100.10" };
        self.flow_from(&endpoint(client, port))
    }

    fn flow_from(self, client: &str) -> Flow {
        let first = self.packet(client, &endpoint(self.vip, self.port)).flags(SYN);
        let node = if self.backend.starts_with('[') { NODE6 } else { NODE4 };
        Flow { path: self, client: client.into(), node: endpoint(node, port_of(&first)), first }
    }

    fn tcp_cases(self, clients: &mut Clients) -> Vec<Case> {
        let mut rows = self.udp_cases(clients);
        let flow = self.flow(clients.next());
        rows.push(flow.reply("SYN and ACK", |packet| packet.flags(SYN | ACK)));
        for flags in [ACK, PSH | ACK, FIN | ACK, RST] {
            let flow = self.flow(clients.next());
            rows.push(flow.later(&format!("flags {flags:#x}"), |packet| packet.flags(flags)));
            rows.push(flow.reply(&format!("flags {flags:#x}"), |packet| packet.flags(flags)));
        }
        let flow = self.flow(clients.next());
        rows.push(flow.later("TCP options", |packet| packet.tcp_options(&[1; 40])));
        rows
    }

    fn udp_cases(self, clients: &mut Clients) -> Vec<Case> {
        let flow = self.flow(clients.next());
        let plain: Decorate = |packet| packet;
        let variants: [(&str, Decorate); 5] = [
            ("a plain packet", plain),
            ("no payload", |packet| packet.payload(b"")),
            ("an odd payload", |packet| packet.payload(b"odd")),
            ("a long payload", |packet| packet.payload(&[0xa5; 1200])),
            ("DSCP and ECN stay", |packet| packet.tos(0b1011_1011)),
        ];
        let mut rows = vec![
            flow.opened("opens a session", plain),
            self.flow(clients.next()).opened("the last hop but one", |packet| packet.ttl(2)),
        ];
        for (what, decorate) in variants {
            rows.push(flow.later(what, decorate));
            rows.push(flow.reply(what, decorate));
        }
        let padded = |packet: PacketBuilder| packet.payload(b"").padding(6);
        rows.push(flow.later("padding stays", padded));
        rows.push(flow.reply("padding stays", padded));
        rows.push(flow.to_kernel(&clients.next().to_string()));
        rows
    }
}

impl Flow {
    fn backend_gets(&self) -> PacketBuilder {
        self.path.packet(&self.node, self.path.backend).macs(BACKEND_MAC, BACK_MAC)
    }

    fn client_gets(&self) -> PacketBuilder {
        let vip = endpoint(self.path.vip, self.path.port);
        self.path.packet(&vip, &self.client).macs(CLIENT_MAC, FRONT_MAC)
    }

    fn backend_sends(&self) -> PacketBuilder {
        self.path.packet(self.path.backend, &self.node)
    }

    /// The first packet.
    fn opened(&self, what: &str, decorate: Decorate) -> Case {
        let received = decorate(self.first.clone());
        let sent = decorate(self.backend_gets().flags(SYN)).ttl(received.ttl - 1);
        Case::send(&self.title(what), Action::Redirect, &received, &sent)
    }

    /// Another packet of the client.
    fn later(&self, what: &str, decorate: impl Fn(PacketBuilder) -> PacketBuilder) -> Case {
        let received = decorate(self.first.clone().flags(ACK));
        let sent = decorate(self.backend_gets()).ttl(63);
        Case::send(&self.title(what), Action::Redirect, &received, &sent).after(&self.first)
    }

    /// A packet of the backend.
    fn reply(&self, what: &str, decorate: impl Fn(PacketBuilder) -> PacketBuilder) -> Case {
        let (received, sent) = (decorate(self.backend_sends()), decorate(self.client_gets()).ttl(63));
        let case = Case::send(&self.title(&format!("reply, {what}")), Action::Redirect, &received, &sent);
        case.after(&self.first).by_the_back()
    }

    /// A packet of the backend to a client whose MAC address is not known: it is rewritten, and the kernel forwards it.
    fn to_kernel(&self, port: &str) -> Case {
        let client = if self.path.vip.contains(':') { "[2001:db8:1::99]" } else { "198.51.100.99" };
        let flow = self.path.flow_from(&format!("{client}:{port}"));
        let vip = endpoint(self.path.vip, self.path.port);
        let received = flow.backend_sends().qinq(7, 8);
        let sent = self.path.packet(&vip, &flow.client).qinq(7, 8);
        let case = Case::send(&self.title("reply through the kernel"), Action::Pass, &received, &sent);
        case.after(&flow.first).by_the_back()
    }

    fn title(&self, what: &str) -> String {
        format!("fullnat, {}: {what}", self.path.name)
    }
}

/// The port of the node that a flow's first packet leaves by, on a node that has seen no other: the one thing of the packet that
/// nobody can know beforehand.
fn port_of(packet: &PacketBuilder) -> u16 {
    let node = Node::default();
    let tables = contents(&node).host_tables();
    let _ = run_on_host(&packet.build(), &node, &tables);
    let session = tables.sessions().next().unwrap_or_else(|| panic!("{packet:?} opened no session"));
    let port = session.node_port();
    assert!((PORTS.0..=PORTS.1).contains(&port), "{port} is none of the node's ports");
    port
}

/// What lies below IP.
fn links(clients: &mut Clients) -> Vec<Case> {
    let path = |(name, vip, port, backend)| Path { name, vip, port, backend, udp: false };
    let mut rows = Vec::new();
    for row in TCP {
        let flow = path(row).flow(clients.next());
        let received = flow.first.clone().qinq(7, 8);
        let sent = flow.backend_gets().flags(SYN).ttl(63);
        rows.push(Case::send(&flow.title("tags come off"), Action::Redirect, &received, &sent));
    }
    let flow = path(("IPv6 to IPv4 on a VLAN", VIP6, 85, "10.0.0.59:85")).flow(clients.next());
    let sent = flow.backend_gets().flags(SYN).vlan(100).ttl(63);
    rows.push(Case::send(&flow.title("a tag goes on"), Action::Redirect, &flow.first, &sent));
    rows
}

/// What cannot change its version of IP.
fn translation(clients: &mut Clients) -> Vec<Case> {
    let drop = |what: &str, packet: &PacketBuilder| {
        Case::drop(&format!("fullnat, to the other version of IP: {what}"), Reason::Untranslatable, packet)
    };
    let tcp6 = Path { name: "", vip: VIP6, port: 81, backend: "10.0.0.51:8081", udp: false };
    let udp4 = Path { name: "", vip: VIP4, port: 54, backend: "[fd00::54]:5354", udp: true };
    let mut six = || tcp6.flow(clients.next()).first;
    let mut rows = vec![
        drop("extension header", &six().hop_by_hop(1)),
        drop("atomic fragment", &six().fragment_of(120, 0, false)),
        drop("first fragment", &six().fragment_of(121, 0, true)),
    ];
    let four = udp4.flow(clients.next()).first;
    rows.extend([
        drop("IP options", &four.clone().ip_options(&[1; 4])),
        drop("no UDP checksum", &four.clone().no_checksum()),
        drop("first fragment, IPv4", &four.fragment_of(122, 0, true)),
    ]);
    rows
}

/// How sessions end, and begin again.
fn ends(clients: &mut Clients) -> Vec<Case> {
    let (port, backend) = REUSED;
    let path = Path { name: "TCP", vip: VIP4, port, backend, udp: false };
    let mut rows = Vec::new();
    for (what, client, server) in [
        ("SYN after both have closed", FIN | ACK, FIN | ACK),
        ("SYN after the client's reset", RST, ACK),
        ("SYN after the backend's reset", ACK, RST),
    ] {
        let flow = path.flow(clients.next());
        let again = flow.first.clone().sequence(77);
        // Its connection is another, for which the server has another port, unless it happens to be the same.
        let sent_again = {
            let node = Node::default();
            let tables = contents(&node).host_tables();
            for packet in
                [&flow.first, &flow.first.clone().flags(client), &flow.backend_sends().flags(server)]
            {
                let _ = run_on_host(&packet.build(), &node, &tables);
            }
            let _ = run_on_host(&again.build(), &node, &tables);
            let session = tables.sessions().next().expect("one session lives");
            let port = session.node_port();
            assert_ne!(endpoint(NODE4, port), flow.node, "{what}: the port is used again at once");
            path.packet(&endpoint(NODE4, port), backend).macs(BACKEND_MAC, BACK_MAC)
        };
        let sent = sent_again.flags(SYN).sequence(77).ttl(63);
        rows.push(
            Case::send(&flow.title(what), Action::Redirect, &again, &sent)
                .after(&flow.first)
                .after(&flow.first.clone().flags(client))
                .after(&flow.backend_sends().flags(server)),
        );
    }
    let flow = path.flow(clients.next());
    let left =
        Case::pass(&flow.title("reply of a connection that its client has left"), &flow.backend_sends());
    rows.push(
        left.by_the_back()
            .after(&flow.first)
            .after(&flow.first.clone().flags(RST))
            .after(&flow.first.clone().sequence(78)),
    );
    rows
}

/// What is turned away, and what is the kernel's.
fn refused(clients: &mut Clients) -> Vec<Case> {
    let to = |port: u16| tcp(CLIENT4, &endpoint(VIP4, port));
    let (port, backend) = CROWDED;
    let mut crowded = Case::drop(
        "fullnat: every port is in use",
        Reason::PortsExhausted,
        &tcp(&endpoint("198.51.100.10", clients.next()), &endpoint(VIP4, port)).flags(SYN),
    );
    for _ in PORTS.0..=PORTS.1 {
        let client = endpoint("198.51.100.10", clients.next());
        crowded = crowded.after(&tcp(&client, &endpoint(VIP4, port)).flags(SYN));
    }
    vec![
        crowded,
        Case::drop("fullnat: no connection is known", Reason::NoSession, &to(80)),
        Case::drop("fullnat: SYN and ACK of none", Reason::NoSession, &to(80).flags(SYN | ACK)),
        Case::drop("fullnat: SYN and FIN of none", Reason::NoSession, &to(80).flags(SYN | FIN)),
        Case::drop("fullnat: SYN and RST of none", Reason::NoSession, &to(80).flags(SYN | RST)),
        Case::drop("fullnat: no backend", Reason::NoBackend, &to(90).flags(SYN)),
        Case::drop("fullnat: no source", Reason::NoSource, &to(91).flags(SYN)),
        Case::drop("fullnat: TTL of 1", Reason::TtlExpired, &to(80).flags(SYN).ttl(1)),
        Case::pass("fullnat: a backend's packet of no session", &tcp("10.0.0.50:8080", "10.0.0.1:61000"))
            .by_the_back(),
        Case::pass(
            "fullnat: another port of a backend",
            &tcp(&backend.replace(":82", ":83"), "10.0.0.1:61000"),
        )
        .by_the_back(),
        Case::pass("a fragment to the node itself", &udp("10.0.0.50:1", "10.0.0.1:2").fragment(2, false))
            .by_the_back(),
    ]
}
