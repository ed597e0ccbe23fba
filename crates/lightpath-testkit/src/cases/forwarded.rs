//! Clients' packets, which go to a backend.

use super::{CLIENT4, CLIENT6, Case};
use crate::Action;
use crate::node::{BACK_MAC, BACKEND_MAC, CLIENT_MAC, FRONT_MAC};
use crate::packet::{ACK, FIN, PSH, PacketBuilder, RST, SYN, tcp, udp};

/// A packet on its way in and on its way out, before what a row adds to both.
struct Path {
    name: &'static str,
    received: PacketBuilder,
    sent: PacketBuilder,
}

impl Path {
    /// Rewritten or not, it leaves for a backend with one hop less to go.
    fn new(name: &'static str, received: PacketBuilder, sent: &PacketBuilder) -> Self {
        Self { name, received, sent: sent.clone().macs(BACKEND_MAC, BACK_MAC).ttl(63) }
    }

    fn nat(name: &'static str, received: PacketBuilder, sent: &PacketBuilder) -> Self {
        Self::new(name, received, sent)
    }

    fn dsr(name: &'static str, packet: PacketBuilder) -> Self {
        let sent = packet.clone();
        Self::new(name, packet, &sent)
    }

    /// A row in which the packet comes with something that it leaves without.
    fn received(&self, what: &str, decorate: impl Fn(PacketBuilder) -> PacketBuilder) -> Case {
        let received = decorate(self.received.clone());
        Case::send(&format!("{}: {what}", self.name), Action::Redirect, &received, &self.sent)
    }

    /// A row in which both packets carry something that has to stay as it is.
    fn with(&self, what: &str, decorate: impl Fn(PacketBuilder) -> PacketBuilder) -> Case {
        let (received, sent) = (decorate(self.received.clone()), decorate(self.sent.clone()));
        Case::send(&format!("{}: {what}", self.name), Action::Redirect, &received, &sent)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let tcp4 =
        Path::nat("nat, TCP over IPv4", tcp(CLIENT4, "203.0.113.10:80"), &tcp(CLIENT4, "10.0.0.11:8080"));
    let udp4 =
        Path::nat("nat, UDP over IPv4", udp(CLIENT4, "203.0.113.10:53"), &udp(CLIENT4, "10.0.0.13:5353"));
    let tcp6 = Path::nat(
        "nat, TCP over IPv6",
        tcp(CLIENT6, "[2001:db8:a::10]:80"),
        &tcp(CLIENT6, "[fd00::11]:8080"),
    );
    let udp6 = Path::nat(
        "nat, UDP over IPv6",
        udp(CLIENT6, "[2001:db8:a::10]:53"),
        &udp(CLIENT6, "[fd00::13]:5353"),
    );
    let direct4 = Path::dsr("dsr, TCP over IPv4", tcp(CLIENT4, "203.0.113.10:443"));
    let direct6 = Path::dsr("dsr, TCP over IPv6", tcp(CLIENT6, "[2001:db8:a::10]:443"));
    let voice = Path::dsr("dsr, UDP over IPv4", udp(CLIENT4, "203.0.113.10:10000"));

    let mut rows = Vec::new();
    for path in [&tcp4, &udp4, &tcp6, &udp6, &direct4, &direct6, &voice] {
        rows.extend([
            path.with("a plain packet", |packet| packet),
            path.with("no payload", |packet| packet.payload(b"")),
            path.with("an odd payload", |packet| packet.payload(b"odd")),
            path.with("a full frame", |packet| packet.payload(&[0xa5; 1400])),
            path.received("a VLAN tag comes off", |packet| packet.vlan(5)),
            path.received("QinQ tags come off", |packet| packet.qinq(7, 8)),
            path.received("two 802.1Q tags come off", |packet| packet.vlan(7).vlan(8)),
            path.with("padding stays", |packet| packet.payload(b"").padding(6)),
            path.with("DSCP and ECN stay", |packet| packet.tos(0b1011_1011)),
        ]);
    }
    for path in [&tcp4, &udp4, &direct4, &voice] {
        rows.extend([
            path.with("one word of IP options", |packet| packet.ip_options(&[1, 1, 1, 0])),
            path.with("as many IP options as there can be", |packet| packet.ip_options(&[1; 40])),
            path.with("IP options", |packet| packet.ip_options(&[1; 12])),
        ]);
    }
    for path in [&tcp6, &udp6, &direct6] {
        rows.extend([
            path.with("hop-by-hop options", |packet| packet.hop_by_hop(1)),
            path.with("long destination options", |packet| packet.destination_options(5)),
            path.with("a routing header that is done", |packet| packet.routing(0)),
            path.with("headers in the order of RFC 8200", |packet| {
                packet.hop_by_hop(2).destination_options(1).routing(0).destination_options(3)
            }),
            path.with("as many headers as are walked", |packet| {
                (0..6).fold(packet, |p, _| p.destination_options(1))
            }),
            path.with("a header", |packet| packet.hop_by_hop(1)),
        ]);
    }
    for path in [&tcp4, &tcp6, &direct4] {
        for flags in [SYN, SYN | ACK, PSH | ACK, FIN | ACK, RST] {
            rows.push(path.with(&format!("flags {flags:#x}"), |packet| packet.flags(flags)));
        }
        rows.push(path.with("TCP options", |packet| packet.tcp_options(&[1; 40])));
    }
    for path in [&udp4, &voice] {
        rows.push(path.with("no checksum stays none", PacketBuilder::no_checksum));
    }
    rows.extend(checksums(&udp4));
    rows.extend(hops());
    rows.extend(ports());
    rows.extend(vlans());
    rows.extend(jumbo_frames());
    rows
}

/// UDP payloads by which the checksum becomes 0, which is sent as 0xffff: one of 65,536 does.
fn checksums(path: &Path) -> Vec<Case> {
    let is_ffff = |packet: &PacketBuilder| packet.build()[40..42] == [0xff, 0xff];
    let found = |pick: fn(&Path) -> &PacketBuilder| {
        let mut payloads = (0..=u16::MAX).map(u16::to_be_bytes);
        payloads.find(|payload| is_ffff(&pick(path).clone().payload(payload))).expect("one of them does")
    };
    let (received, sent) = (found(|path| &path.received), found(|path| &path.sent));
    vec![
        path.with("a checksum of 0xffff is updated", |packet| packet.payload(&received)),
        path.with("a checksum that becomes 0 is 0xffff", |packet| packet.payload(&sent)),
    ]
}

fn hops() -> Vec<Case> {
    let one_armed = tcp(CLIENT4, "203.0.113.10:81");
    let back_out = tcp(CLIENT4, "198.51.100.21:81").macs(CLIENT_MAC, FRONT_MAC).ttl(63);
    let received = tcp(CLIENT4, "203.0.113.10:80");
    let sent = tcp(CLIENT4, "10.0.0.11:8080").macs(BACKEND_MAC, BACK_MAC);
    vec![
        Case::send("a backend on the client's side", Action::Transmit, &one_armed, &back_out),
        Case::send("the backend's own side", Action::Transmit, &received, &sent.clone().ttl(63))
            .by_the_back(),
        Case::send("the last hop but one", Action::Redirect, &received.clone().ttl(2), &sent.clone().ttl(1)),
        Case::send("the largest TTL", Action::Redirect, &received.ttl(255), &sent.ttl(254)),
    ]
}

/// Packets that the kernel keeps in several pieces.
fn jumbo_frames() -> Vec<Case> {
    let large: Vec<u8> = (0..8900_u32).map(|byte| byte.to_be_bytes()[3]).collect();
    let nat = Path::nat("jumbo, nat", tcp(CLIENT4, "203.0.113.10:84"), &tcp(CLIENT4, "10.0.0.26:84"));
    let dsr = Path::dsr("jumbo, dsr", udp(CLIENT6, "[2001:db8:a::10]:84"));
    let tunnel = Path::dsr("jumbo, ipip", tcp(CLIENT4, "203.0.113.10:85"));
    let tunnel = Path { sent: tunnel.sent.in_ip("10.0.0.1", "10.0.0.28"), ..tunnel };
    [nat, dsr, tunnel].map(|path| path.with("a large frame", |packet| packet.payload(&large))).to_vec()
}

/// Backends on a VLAN.
fn vlans() -> Vec<Case> {
    let paths = [
        Path::dsr("dsr on a VLAN", tcp(CLIENT4, "203.0.113.10:82")),
        Path::nat("nat on a VLAN", tcp(CLIENT4, "203.0.113.10:83"), &tcp(CLIENT4, "10.0.0.23:83")),
        Path::nat("nat on a VLAN, IPv6", udp(CLIENT6, "[2001:db8:a::10]:83"), &udp(CLIENT6, "[fd00::23]:83")),
    ];
    let mut rows = Vec::new();
    for path in paths {
        let path = Path { sent: path.sent.vlan(100), ..path };
        rows.extend([
            path.received("a tag goes on", |packet| packet),
            path.received("the tag changes", |packet| packet.vlan(5)),
            path.received("the tag stays", |packet| packet.vlan(100)),
            path.received("two tags become one", |packet| packet.qinq(7, 8)),
        ]);
    }
    rows
}

fn ports() -> Vec<Case> {
    let mut rows = Vec::new();
    for port in [10_000, 10_001, 12_345, 16_384, 19_999] {
        let packet = udp(CLIENT4, &format!("203.0.113.10:{port}"));
        rows.push(Path::dsr("port of a range", packet).with(&port.to_string(), |packet| packet));
    }
    for port in 30_001..=30_006 {
        let received = udp(CLIENT4, &format!("203.0.113.10:{port}"));
        let sent = udp(CLIENT4, &format!("10.0.0.16:{port}"));
        rows.push(
            Path::nat("nat keeps a range's port", received, &sent).with(&port.to_string(), |packet| packet),
        );
    }
    for port in [0, 1, 80, 7999, 9000, 65_535] {
        let packet = tcp(CLIENT4, &format!("203.0.113.20:{port}"));
        let sent = packet.clone().macs(CLIENT_MAC, FRONT_MAC).ttl(63);
        rows.push(Case::send(&format!("any port: {port}"), Action::Transmit, &packet, &sent));
    }
    for port in [8000, 8442, 8444, 8999] {
        let received = tcp(CLIENT4, &format!("203.0.113.20:{port}"));
        let sent = tcp(CLIENT4, &format!("10.0.0.18:{port}"));
        rows.push(Path::nat("a range before any", received, &sent).with(&port.to_string(), |packet| packet));
    }
    let exact =
        Path::nat("a port before a range", tcp(CLIENT4, "203.0.113.20:8443"), &tcp(CLIENT4, "10.0.0.19:443"));
    rows.push(exact.with("8443", |packet| packet));
    rows
}
