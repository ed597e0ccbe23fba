//! ICMP errors, which go where the flow goes that they are about.

use lightpath_core::Reason;

use super::services::{ROUTED4, ROUTED6};
use super::tunnels::hash;
use super::{CLIENT4, CLIENT6, Case};
use crate::Action;
use crate::node::{BACK_MAC, BACKEND_MAC, CLIENT_MAC, FRONT_MAC};
use crate::packet::{PacketBuilder, icmp, icmp_echo, ip, tcp, udp};

const VIP4: &str = "203.0.113.10";
const VIP6: &str = "2001:db8:a::10";
const HOST4: &str = "198.51.100.10";
const HOST6: &str = "2001:db8:1::10";
/// Routers on the way to the client, and on the way to the backends.
const ROUTER4: &str = "192.0.2.77";
const ROUTER6: &str = "2001:db8:77::1";
const BACK_ROUTER4: &str = "10.0.0.254";
const BACK_ROUTER6: &str = "fd00::fe";

/// Errors of each family: type, code and the rest of the header.
const ERRORS4: [(u8, u8, u32); 6] = [(3, 4, 1400), (3, 1, 0), (3, 3, 0), (11, 0, 0), (11, 1, 0), (12, 0, 5)];
const ERRORS6: [(u8, u8, u32); 5] = [(2, 0, 1400), (1, 4, 0), (3, 0, 0), (3, 1, 0), (4, 0, 40)];

/// An error about a packet of a flow, on its way in and on its way out.
struct Path {
    name: &'static str,
    v4: bool,
    /// Whom the error comes from and whom it is for, before and after.
    received: [&'static str; 2],
    sent: [&'static str; 2],
    /// The packet it quotes, before and after.
    quoted: PacketBuilder,
    rewritten: PacketBuilder,
    to_client: bool,
}

type Decorate<'a> = &'a dyn Fn(PacketBuilder) -> PacketBuilder;

impl Path {
    fn errors(&self) -> &'static [(u8, u8, u32)] {
        if self.v4 { &ERRORS4 } else { &ERRORS6 }
    }

    /// Bytes of the quoted IP header.
    fn header(&self) -> usize {
        if self.v4 { 20 } else { 40 }
    }

    /// A row: the error, how much it quotes, and what is about the packets that are quoted and about those that quote.
    fn row(
        &self,
        what: &str,
        (kind, code, rest): (u8, u8, u32),
        length: usize,
        inside: Decorate<'_>,
        outside: Decorate<'_>,
    ) -> Case {
        let error = |[from, to]: [&str; 2], quoted: &PacketBuilder| {
            outside(icmp(kind, code, rest, from, to).quoting(&inside(quoted.clone()), length))
        };
        let received = error(self.received, &self.quoted);
        let (mac, source) = if self.to_client { (CLIENT_MAC, FRONT_MAC) } else { (BACKEND_MAC, BACK_MAC) };
        let sent = error(self.sent, &self.rewritten).macs(mac, source).ttl(63);
        let what = format!("error, {}: {what}", self.name);
        let case = Case::send(&what, Action::Redirect, &received, &sent);
        if self.to_client { case.by_the_back() } else { case }
    }

    fn cases(&self) -> Vec<Case> {
        let (header, first) = (self.header(), self.errors()[0]);
        let same = |packet| packet;
        let inside = |what: &str, decorate: Decorate<'_>| self.row(what, first, 1000, decorate, &same);
        let outside = |what: &str, decorate: Decorate<'_>| self.row(what, first, 1000, &same, decorate);
        let mut rows = vec![
            inside("all of a long packet", &|packet| packet.payload(&[5; 700])),
            inside("the last hop", &|packet| packet.ttl(1)),
            outside("DSCP and ECN stay", &|packet| packet.tos(0b1011_1011)),
            outside("padding stays", &|packet| packet.padding(5)),
        ];
        for error in self.errors() {
            rows.push(self.row(&format!("type {} code {}", error.0, error.1), *error, 1000, &same, &same));
        }
        // The ports and no more; without and with a TCP checksum.
        for bytes in [8, 9, 16, 18, 20] {
            rows.push(self.row(&format!("{bytes} bytes of transport"), first, header + bytes, &same, &same));
        }
        if self.v4 {
            rows.extend([
                inside("IP options inside", &|packet| packet.ip_options(&[1; 12])),
                outside("IP options outside", &|packet| packet.ip_options(&[1; 40])),
                inside("a first fragment inside", &|packet| packet.fragment(0, true)),
            ]);
        } else {
            rows.extend([
                inside("extension headers inside", &|packet| packet.hop_by_hop(1).destination_options(1)),
                outside("extension headers outside", &|packet| packet.hop_by_hop(1)),
                inside("a first fragment inside", &|packet| packet.fragment(0, true)),
            ]);
        }
        rows
    }

    /// Tags lead to where a packet comes from.
    fn tagged(&self) -> Case {
        let mut case = self.row("tags come off", self.errors()[0], 1000, &|packet| packet, &|packet| packet);
        let (kind, code, rest) = self.errors()[0];
        let [from, to] = self.received;
        case.packet = icmp(kind, code, rest, from, to).quoting(&self.quoted, 1000).qinq(7, 8).build();
        case
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut rows = Vec::new();
    for path in paths() {
        rows.extend(path.cases());
        rows.push(path.tagged());
    }
    let datagrams = to_backend("nat, UDP without a checksum", (VIP4, "10.0.0.13"), [53, 5353], udp);
    rows.push(
        datagrams.row("stays without", ERRORS4[0], 1000, &PacketBuilder::no_checksum, &|packet| packet),
    );
    rows.extend(tunnels());
    rows.extend(dropped());
    rows.extend(malformed());
    rows.extend(about_nothing());
    rows
}

type Transport = fn(&str, &str) -> PacketBuilder;

fn at(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// An error about what was sent to a client from a VIP, as far as the client's network knows.
fn to_backend(
    name: &'static str,
    (vip, backend): (&'static str, &'static str),
    [vip_port, port]: [u16; 2],
    transport: Transport,
) -> Path {
    let v4 = !vip.contains(':');
    let (client, router) = if v4 { (CLIENT4, ROUTER4) } else { (CLIENT6, ROUTER6) };
    Path {
        name,
        v4,
        received: [router, vip],
        sent: [router, backend],
        quoted: transport(&at(vip, vip_port), client),
        rewritten: transport(&at(backend, port), client),
        to_client: false,
    }
}

/// An error about what was sent to a backend from a client.
fn to_client(
    name: &'static str,
    (vip, backend): (&'static str, &'static str),
    [vip_port, port]: [u16; 2],
    from: &'static str,
    transport: Transport,
) -> Path {
    let v4 = !vip.contains(':');
    let (client, host) = if v4 { (CLIENT4, HOST4) } else { (CLIENT6, HOST6) };
    Path {
        name,
        v4,
        received: [from, host],
        sent: [vip, host],
        quoted: transport(client, &at(backend, port)),
        rewritten: transport(client, &at(vip, vip_port)),
        to_client: true,
    }
}

fn paths() -> Vec<Path> {
    let (web4, web6) = ((VIP4, "10.0.0.11"), (VIP6, "fd00::11"));
    let (dns4, dns6) = ((VIP4, "10.0.0.13"), (VIP6, "fd00::13"));
    vec![
        to_backend("nat, TCP over IPv4", web4, [80, 8080], tcp),
        to_backend("nat, UDP over IPv4", dns4, [53, 5353], udp),
        to_backend("nat, TCP over IPv6", web6, [80, 8080], tcp),
        to_backend("nat, UDP over IPv6", dns6, [53, 5353], udp),
        to_backend("nat, a range's port", (VIP4, "10.0.0.16"), [30_003, 30_003], udp),
        to_backend("dsr, TCP over IPv4", (VIP4, VIP4), [443, 443], tcp),
        to_backend("dsr, TCP over IPv6", (VIP6, VIP6), [443, 443], tcp),
        to_client("from a backend, UDP over IPv4", dns4, [53, 5353], "10.0.0.13", udp),
        to_client("from a backend, UDP over IPv6", dns6, [53, 5353], "fd00::13", udp),
        to_client("from a router behind, TCP over IPv4", web4, [80, 8080], BACK_ROUTER4, tcp),
        to_client("from a router behind, TCP over IPv6", web6, [80, 8080], BACK_ROUTER6, tcp),
    ]
}

/// Errors travel like the flow's packets: from the same address and port of the node, and so the same way.
fn tunnels() -> Vec<Case> {
    let row = |what: &str, [client, vip, backend]: [&str; 3], gue: bool| {
        let (host, node) =
            if client == CLIENT4 { (VIP_TUNNEL4, "10.0.0.1") } else { (VIP_TUNNEL6, "fd00::1") };
        let (kind, code, rest) = if client == CLIENT4 { ERRORS4[0] } else { ERRORS6[0] };
        let router = if client == CLIENT4 { ROUTER4 } else { ROUTER6 };
        let error = icmp(kind, code, rest, router, host).quoting(&tcp(vip, client), 1000);
        let flow = hash(&tcp(client, vip));
        let inside = error.clone().macs(BACKEND_MAC, BACK_MAC).ttl(63);
        let sent =
            if gue { inside.in_gue(node, flow.source_port(), backend) } else { inside.in_ip(node, backend) };
        Case::send(what, Action::Redirect, &error, &sent.outer_label(flow.flow_label()))
    };
    vec![
        row("error, ipip, IPv4", [CLIENT4, "203.0.113.30:40", "10.0.0.40"], false),
        row("error, gue, IPv4", [CLIENT4, "203.0.113.30:41", "10.0.0.40"], true),
        row("error, ipip, IPv6", [CLIENT6, "[2001:db8:a::30]:66", "fd00::66"], false),
        row("error, gue, IPv6", [CLIENT6, "[2001:db8:a::30]:67", "fd00::66"], true),
    ]
}

const VIP_TUNNEL4: &str = "203.0.113.30";
const VIP_TUNNEL6: &str = "2001:db8:a::30";

/// Errors about flows that cannot go on.
fn dropped() -> Vec<Case> {
    let about = |port: u16| icmp(3, 3, 0, ROUTER4, VIP4).quoting(&tcp(&at(VIP4, port), CLIENT4), 100);
    let narrow = tcp(&at(ROUTED6, 91), CLIENT6).payload(&[1; 1240]);
    vec![
        Case::drop("error at the end of its hops", Reason::TtlExpired, &about(80).ttl(1)),
        Case::drop("error about a service without backends", Reason::NoBackend, &about(90)),
        Case::drop("error to a backend without a next hop", Reason::NoNextHop, &about(91)),
        Case::drop("error to a backend of another service", Reason::StaleSlot, &about(92)),
        Case::drop(
            "an error is not refused",
            Reason::NoBackend,
            &icmp(3, 3, 0, ROUTER4, ROUTED4).quoting(&tcp(&at(ROUTED4, 90), CLIENT4), 100),
        ),
        Case::drop(
            "an error is not too big",
            Reason::TooBig,
            &icmp(3, 1, 0, ROUTER6, ROUTED6).quoting(&narrow, 1232),
        ),
        Case::drop(
            "an error to a client behind a blackhole",
            Reason::NoRoute,
            &icmp(3, 1, 0, BACK_ROUTER4, "192.0.2.7").quoting(&tcp("192.0.2.7:4000", "10.0.0.11:8080"), 100),
        )
        .by_the_back(),
        // The ports would be read from the middle of the datagram.
        Case::drop(
            "error that quotes a later fragment",
            Reason::Fragment,
            &icmp(3, 4, 1400, ROUTER4, VIP4)
                .quoting(&udp(&at(VIP4, 53), CLIENT4).without_transport().fragment(185, false), 100),
        ),
        Case::drop(
            "error that quotes a later fragment, IPv6",
            Reason::Fragment,
            &icmp(2, 0, 1400, ROUTER6, VIP6)
                .quoting(&udp(&at(VIP6, 53), CLIENT6).without_transport().fragment(185, false), 100),
        ),
    ]
}

fn malformed() -> Vec<Case> {
    let row = |what: &str, reason, packet: PacketBuilder| Case::drop(what, reason, &packet);
    let error4 = |quoted: PacketBuilder, length| icmp(3, 1, 0, ROUTER4, VIP4).quoting(&quoted, length);
    let error6 = |quoted: PacketBuilder, length| icmp(1, 0, 0, ROUTER6, VIP6).quoting(&quoted, length);
    let (web4, web6) = (|| tcp(&at(VIP4, 80), CLIENT4), || tcp(&at(VIP6, 80), CLIENT6));
    let transport = Reason::TransportHeader;
    vec![
        row("ICMP cut short", transport, ip(1, ROUTER4, VIP4).payload(&[3, 1, 0, 0, 0, 0, 0])),
        row("ICMP that is not there", transport, ip(1, ROUTER4, VIP4).payload(&[])),
        row("ICMPv6 cut short", transport, ip(58, ROUTER6, VIP6).payload(&[1, 0, 0, 0])),
        row("nothing quoted", Reason::IpHeader, error4(web4(), 0)),
        row("quoted IP header cut short", Reason::IpHeader, error4(web4(), 19)),
        row("quoted IP header that only padding fills", transport, error4(web4(), 19).padding(60)),
        row("quoted IHL of 4", Reason::IpHeader, error4(web4().claim_header_words(4), 100)),
        row("quoted IPv4 of version 6", Reason::IpHeader, error4(web4().claim_version(6), 100)),
        row("quoted options cut short", transport, error4(web4().ip_options(&[1; 40]), 50)),
        row("quoted ports cut short", transport, error4(web4(), 27)),
        row("nothing quoted, IPv6", Reason::IpHeader, error6(web6(), 0)),
        row("quoted IP header cut short, IPv6", Reason::IpHeader, error6(web6(), 39)),
        row("quoted IPv6 of version 4", Reason::IpHeader, error6(web6().claim_version(4), 100)),
        row("quoted ports cut short, IPv6", transport, error6(web6(), 47)),
        row("quoted header cut short", Reason::ExtensionHeader, error6(web6().hop_by_hop(2), 41)),
        row("quoted segments left", Reason::ExtensionHeader, error6(web6().routing(1), 100)),
    ]
}

/// Errors that no flow of a service has to do with: the kernel gets them, if it has the address.
fn about_nothing() -> Vec<Case> {
    let kernels =
        |what: &str, packet: PacketBuilder| Case::pass(&format!("error for the kernel: {what}"), &packet);
    let nobodys = |what: &str, packet: PacketBuilder| {
        Case::drop(&format!("error to a VIP that is only routed here: {what}"), Reason::NoService, &packet)
    };
    let error4 = |vip, quoted: PacketBuilder| icmp(3, 1, 0, ROUTER4, vip).quoting(&quoted, 100);
    let error6 = |vip, quoted: PacketBuilder| icmp(1, 0, 0, ROUTER6, vip).quoting(&quoted, 100);
    vec![
        kernels("another port of the VIP", error4(VIP4, tcp(&at(VIP4, 8080), CLIENT4))),
        kernels("another port of the VIP, IPv6", error6(VIP6, tcp(&at(VIP6, 8080), CLIENT6))),
        kernels("an echo", error4(VIP4, icmp_echo(VIP4, HOST4))),
        kernels("a packet of somebody else", error4(VIP4, tcp(&at(ROUTED4, 80), CLIENT4))),
        kernels("a packet to the VIP", error4(VIP4, tcp(CLIENT4, &at(VIP4, 80)))),
        kernels("a redirect", icmp(5, 1, 0, ROUTER4, VIP4).quoting(&tcp(&at(VIP4, 80), CLIENT4), 100)),
        kernels("the node's own address", error4("198.51.100.1", tcp("198.51.100.1:22", CLIENT4))),
        kernels(
            "the node's own connection to a backend",
            icmp(3, 1, 0, BACK_ROUTER4, "10.0.0.1").quoting(&tcp("10.0.0.1:4000", "10.0.0.11:8080"), 100),
        )
        .by_the_back(),
        kernels("cut short, to another", icmp(3, 1, 0, ROUTER4, "198.51.100.1").payload(&[0x45; 19])),
        nobodys("another port", error4(ROUTED4, tcp(&at(ROUTED4, 8080), CLIENT4))),
        nobodys("another port, IPv6", error6(ROUTED6, tcp(&at(ROUTED6, 8080), CLIENT6))),
        nobodys("an echo", error4(ROUTED4, icmp_echo(ROUTED4, HOST4))),
        nobodys("a packet of somebody else", error4(ROUTED4, tcp(&at(VIP4, 80), CLIENT4))),
        nobodys("an echo, IPv6", error6(ROUTED6, icmp_echo(ROUTED6, HOST6))),
    ]
}
