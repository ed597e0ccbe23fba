//! Packets of `nat` backends on their way back.

use lightpath_core::Reason;

use super::{CLIENT4, CLIENT6, Case};
use crate::Action;
use crate::node::{CLIENT_MAC, FRONT_MAC, SIDE_MAC, SIDE_VLAN};
use crate::packet::{ACK, PacketBuilder, SYN, tcp, udp};

/// The packet leaves for the client with one hop less to go.
fn undone(what: &str, received: &PacketBuilder, sent: PacketBuilder) -> Case {
    let sent = sent.macs(CLIENT_MAC, FRONT_MAC).ttl(63);
    Case::send(what, Action::Redirect, received, &sent).by_the_back()
}

pub(super) fn cases() -> Vec<Case> {
    let mut rows = Vec::new();
    let paths = [
        ("TCP over IPv4", tcp("10.0.0.11:8080", CLIENT4), tcp("203.0.113.10:80", CLIENT4)),
        ("UDP over IPv4", udp("10.0.0.13:5353", CLIENT4), udp("203.0.113.10:53", CLIENT4)),
        ("TCP over IPv6", tcp("[fd00::11]:8080", CLIENT6), tcp("[2001:db8:a::10]:80", CLIENT6)),
        ("UDP over IPv6", udp("[fd00::13]:5353", CLIENT6), udp("[2001:db8:a::10]:53", CLIENT6)),
        ("a range's port", udp("10.0.0.16:30003", CLIENT4), udp("203.0.113.10:30003", CLIENT4)),
    ];
    for (name, received, sent) in paths {
        let with = |what: &str, decorate: fn(PacketBuilder) -> PacketBuilder| {
            undone(&format!("reply, {name}: {what}"), &decorate(received.clone()), decorate(sent.clone()))
        };
        rows.extend([
            with("a plain packet", |packet| packet),
            with("SYN and ACK", |packet| packet.flags(SYN | ACK)),
            with("a full frame", |packet| packet.payload(&[0x5a; 1400])),
            undone(&format!("reply, {name}: tags come off"), &received.clone().qinq(7, 8), sent.clone()),
            with("DSCP and ECN stay", |packet| packet.tos(0b1011_1011)),
        ]);
    }
    rows.push(undone(
        "reply without a UDP checksum",
        &udp("10.0.0.13:5353", CLIENT4).no_checksum(),
        udp("203.0.113.10:53", CLIENT4).no_checksum(),
    ));
    rows.push(undone(
        "reply with IP options",
        &tcp("10.0.0.11:8080", CLIENT4).ip_options(&[1; 8]),
        tcp("203.0.113.10:80", CLIENT4).ip_options(&[1; 8]),
    ));
    rows.push(undone(
        "reply with extension headers",
        &tcp("[fd00::11]:8080", CLIENT6).hop_by_hop(1),
        tcp("[2001:db8:a::10]:80", CLIENT6).hop_by_hop(1),
    ));
    rows.extend(routes());
    rows.extend(to_vlans());
    rows.extend(left_alone());
    rows
}

/// What the node's routes say of the client.
fn routes() -> Vec<Case> {
    let web = |client: &str| tcp("10.0.0.11:8080", client);
    let web6 = |client: &str| tcp("[fd00::11]:8080", client);
    let restored = |client: &str| tcp("203.0.113.10:80", client);
    let restored6 = |client: &str| tcp("[2001:db8:a::10]:80", client);
    let drop = |what: &str, reason, packet: PacketBuilder| Case::drop(what, reason, &packet).by_the_back();
    let to_kernel = |what: &str, received: PacketBuilder, sent: PacketBuilder| {
        Case::send(what, Action::Pass, &received, &sent).by_the_back()
    };
    vec![
        undone("reply through a router", &web("198.19.0.7:4000"), restored("198.19.0.7:4000")),
        undone(
            "reply through a router, IPv6",
            &web6("[2001:db8:beef::7]:4000"),
            restored6("[2001:db8:beef::7]:4000"),
        ),
        to_kernel(
            "the kernel resolves the client: source restored, TTL and MAC addresses left to it",
            web("198.51.100.99:4000"),
            restored("198.51.100.99:4000"),
        ),
        to_kernel(
            "the kernel resolves the client, IPv6",
            web6("[2001:db8:1::99]:4000"),
            restored6("[2001:db8:1::99]:4000"),
        ),
        to_kernel(
            "reply to where only the kernel can send",
            web("198.18.2.10:4000"),
            restored("198.18.2.10:4000"),
        ),
        to_kernel(
            "reply to where only the kernel can send, IPv6",
            web6("[2001:db8:3::10]:4000"),
            restored6("[2001:db8:3::10]:4000"),
        ),
        drop("reply to a blackhole", Reason::NoRoute, web("192.0.2.7:4000")),
        drop("reply to a blackhole, IPv6", Reason::NoRoute, web6("[2001:db8:dead::7]:4000")),
        Case::pass(
            "a reply bigger than its route's MTU is for the kernel to answer",
            &web("198.19.0.7:4000").payload(&[0; 600]),
        )
        .by_the_back(),
        drop(
            "a reply bigger than its route's MTU that may be fragmented",
            Reason::TooBig,
            web("198.19.0.7:4000").payload(&[0; 600]).may_be_fragmented(),
        ),
        Case::pass(
            "a reply bigger than its route's MTU, IPv6",
            &web6("[2001:db8:beef::7]:4000").payload(&[0; 1300]),
        )
        .by_the_back(),
        drop("reply at the end of its hops", Reason::TtlExpired, web(CLIENT4).ttl(1)),
        drop("reply at the end of its hops, IPv6", Reason::TtlExpired, web6(CLIENT6).ttl(1)),
        drop("reply on a node that does not forward", Reason::ForwardingOff, web(CLIENT4))
            .without_forwarding(),
        drop("reply on a node that does not forward, IPv6", Reason::ForwardingOff, web6(CLIENT6))
            .without_forwarding(),
    ]
}

/// Clients on a VLAN interface of the node.
fn to_vlans() -> Vec<Case> {
    let tagged = |what: &str, received: &PacketBuilder, sent: PacketBuilder| {
        let sent = sent.macs(CLIENT_MAC, SIDE_MAC).ttl(63).vlan(SIDE_VLAN);
        Case::send(what, Action::Redirect, received, &sent).by_the_back()
    };
    let (client, client6) = ("198.18.1.10:4000", "[2001:db8:2::10]:4000");
    let web = || (tcp("10.0.0.11:8080", client), tcp("203.0.113.10:80", client));
    let web6 = || (tcp("[fd00::11]:8080", client6), tcp("[2001:db8:a::10]:80", client6));
    let dns = || (udp("10.0.0.13:5353", client), udp("203.0.113.10:53", client));
    vec![
        tagged("reply to a VLAN, TCP over IPv4", &web().0, web().1),
        tagged("reply to a VLAN, TCP over IPv6", &web6().0, web6().1),
        tagged("reply to a VLAN, UDP over IPv4", &dns().0, dns().1),
        tagged("reply to a VLAN: a tag becomes another", &web().0.vlan(9), web().1),
        tagged("reply to a VLAN: two tags become one, IPv6", &web6().0.qinq(7, 8), web6().1),
        tagged(
            "reply to a VLAN: a full frame",
            &web().0.payload(&[0x5a; 1400]),
            web().1.payload(&[0x5a; 1400]),
        ),
        tagged(
            "reply to a VLAN: a first fragment",
            &dns().0.fragment_of(120, 0, true),
            dns().1.fragment_of(120, 0, true),
        ),
    ]
}

/// Clients of this node as a router.
const ROUTED: &str = "198.51.100.10:4322";
const ROUTED6: &str = "[2001:db8:1::10]:4322";

/// What a backend sends that is no reply to a client, or no longer tells.
fn left_alone() -> Vec<Case> {
    let pass = |what: &str, packet: PacketBuilder| Case::pass(what, &packet).by_the_back();
    vec![
        pass("reply to the node itself, such as a health check", tcp("10.0.0.11:8080", "10.0.0.1:4000")),
        pass("reply to the node itself, IPv6", tcp("[fd00::11]:8080", "[fd00::1]:4000")),
        pass("reply to where no route leads", tcp("10.0.0.11:8080", "198.18.0.1:4000")),
        pass("reply to where no route leads, IPv6", tcp("[fd00::11]:8080", "[2001:db8:ffff::1]:4000")),
        // The first of a connection made straight to the backend, which the node only routes.
        pass("reply of a connection straight to a backend", tcp("10.0.0.11:8080", "198.51.100.10:4321"))
            .after(&tcp("198.51.100.10:4321", "10.0.0.11:8080").flags(SYN)),
        pass("the same, IPv6", udp("[fd00::13]:5353", "[2001:db8:1::10]:4321"))
            .after(&udp("[2001:db8:1::10]:4321", "[fd00::13]:5353")),
        pass(
            "reply of a flow straight to a backend that began with a fragment",
            tcp("10.0.0.11:8080", ROUTED),
        )
        .after(&tcp(ROUTED, "10.0.0.11:8080").flags(SYN).fragment_of(130, 0, true)),
        pass("the same over IPv6", udp("[fd00::13]:5353", ROUTED6))
            .after(&udp(ROUTED6, "[fd00::13]:5353").fragment_of(131, 0, true)),
        pass("another port of a backend", tcp("10.0.0.11:22", CLIENT4)),
        pass("another protocol of a backend", udp("10.0.0.11:8080", CLIENT4)),
        pass("a port next to a range", udp("10.0.0.16:30007", CLIENT4)),
        pass("a backend of dsr", tcp("10.0.0.14:443", CLIENT4)),
        pass("malformed reply", tcp("10.0.0.11:8080", CLIENT4).claim_data_offset(4)),
    ]
}
