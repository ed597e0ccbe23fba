//! Packets that are none of Lightpath's business: the kernel gets them as they came.

use std::net::Ipv4Addr;

use lightpath_abi::{Address, Role};
use lightpath_core::directory::filter_place;

use super::{CLIENT4, CLIENT6, Case, Expected};
use crate::node::Node;
use crate::packet::{PacketBuilder, SYN, arp, icmp_echo, ip, tcp, udp};

pub(super) fn cases() -> Vec<Case> {
    [foreign(), other_destinations(), untold(), taken_for_a_vip()].concat()
}

/// A frame that no builder makes.
fn raw(what: &str, packet: &[u8]) -> Case {
    let node = Node::default();
    Case {
        what: what.into(),
        node,
        ingress: node.front,
        before: Vec::new(),
        packet: packet.to_vec(),
        expected: Expected::Pass,
    }
}

fn foreign() -> Vec<Case> {
    let row = |what: &str, packet: PacketBuilder| Case::pass(what, &packet);
    let (client4, vip4) = ("198.51.100.10", "203.0.113.10");
    let (client6, vip6) = ("2001:db8:1::10", "2001:db8:a::10");
    vec![
        raw("ARP", &arp("198.51.100.10", "198.51.100.1")),
        raw("ARP for a VIP", &arp("198.51.100.10", "203.0.113.10")),
        raw("a frame of an EtherType nobody knows", &[0x88; 64]),
        raw("a frame of nothing but the Ethernet header", &[&[2; 12][..], &[0x08, 0x00]].concat()),
        row("echo to a VIP", icmp_echo(client4, vip4)),
        row("echo to a VIP, IPv6", icmp_echo(client6, vip6)),
        row("echo to a VIP, tagged", icmp_echo(client4, vip4).vlan(5)),
        row("fragment of an echo", icmp_echo(client4, vip4).fragment(0, true)),
        row("later fragment of an echo", icmp_echo(client4, vip4).fragment(2, false)),
        row("first fragment of an echo, IPv6", icmp_echo(client6, vip6).fragment(0, true)),
        row("later fragment of an echo, IPv6", icmp_echo(client6, vip6).fragment(2, false)),
        row("GRE to a VIP", ip(47, client4, vip4)),
        row("SCTP to a VIP", ip(132, client4, vip4)),
        row("no next header to a VIP", ip(59, client6, vip6)),
        row("ESP to a VIP", ip(50, client6, vip6)),
        row("ESP behind an extension header", ip(50, client6, vip6).hop_by_hop(1)),
        row("three tags", tcp(CLIENT4, "203.0.113.10:80").qinq(7, 8).vlan(9)),
        row("frame cut within the IPv4 header", tcp(CLIENT4, "203.0.113.10:80").cut_to(14 + 19)),
        row("frame cut within the IPv6 header", tcp(CLIENT6, "[2001:db8:a::10]:80").cut_to(14 + 39)),
        row("frame cut within a tag", tcp(CLIENT4, "203.0.113.10:80").vlan(5).cut_to(17)),
    ]
}

fn other_destinations() -> Vec<Case> {
    let row = |what: &str, packet: PacketBuilder| Case::pass(what, &packet);
    vec![
        row("the node's own address", tcp(CLIENT4, "198.51.100.1:22").flags(SYN)),
        row("the node's own address, IPv6", tcp(CLIENT6, "[2001:db8:1::1]:22").flags(SYN)),
        row("an address next to a VIP", tcp(CLIENT4, "203.0.113.11:80")),
        row("an address next to a VIP, IPv6", tcp(CLIENT6, "[2001:db8:a::11]:80")),
        row("a backend's own address", tcp(CLIENT4, "10.0.0.11:8080")),
        row("another port of a VIP", tcp(CLIENT4, "203.0.113.10:8080")),
        row("another protocol of a VIP's port", udp(CLIENT4, "203.0.113.10:80")),
        row("another protocol of any port", udp(CLIENT4, "203.0.113.20:80")),
        row("the port before a range", udp(CLIENT4, "203.0.113.10:9999")),
        row("the port after a range", udp(CLIENT4, "203.0.113.10:20000")),
        row("another port of an IPv6 VIP", tcp(CLIENT6, "[2001:db8:a::10]:8080")),
        row("a VIP in IPv6-mapped form is not that VIP", tcp(CLIENT6, "[::ffff:203.0.113.10]:80")),
        row("a backend in IPv6-mapped form is not that backend", tcp("[::ffff:10.0.0.11]:8080", CLIENT6)),
    ]
}

/// Malformed packets to nobody Lightpath knows are not its to drop.
fn untold() -> Vec<Case> {
    let row = |what: &str, packet: PacketBuilder| Case::pass(what, &packet);
    let other = || tcp(CLIENT4, "198.51.100.1:22");
    let other6 = || udp(CLIENT6, "[2001:db8:1::1]:53");
    vec![
        row("IPv4 of version 5 to another", other().claim_version(5)),
        row("IHL of 4 to another", other().claim_header_words(4)),
        row("total length beyond the frame to another", other().claim_ip_length(1000)),
        row("data offset of 4 to another", other().claim_data_offset(4)),
        row("fragment to another", other().fragment(0, true)),
        row("fragment to another, IPv6", other6().fragment(0, true)),
        row("segments left to another", other6().routing(1)),
        row("UDP without a checksum to another, IPv6", other6().no_checksum()),
        row("TTL of 1 to another", other().ttl(1)),
    ]
}

/// Packets to an address whose bit in the filter is a VIP's.
fn taken_for_a_vip() -> Vec<Case> {
    let place = |address: Ipv4Addr| filter_place(Role::Vip, Address::v4(address.to_bits()));
    let vip = place(Ipv4Addr::new(203, 0, 113, 10));
    let mut others = (1..).map(|number| Ipv4Addr::from_bits(0x0b00_0000 + number));
    let other = others.find(|other| place(*other) == vip).expect("one in 65,536 has it");
    let packet = tcp(CLIENT4, &format!("{other}:80"));
    vec![
        Case::pass("an address that the filter takes for a VIP", &packet),
        Case::pass(
            "later fragment to an address that the filter takes for a VIP",
            &packet.clone().without_transport().fragment(2, false),
        ),
        Case::pass(
            "malformed packet to an address that the filter takes for a VIP",
            &packet.claim_data_offset(4),
        ),
    ]
}
