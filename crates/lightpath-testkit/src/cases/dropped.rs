//! Packets to a service that cannot be forwarded.

use lightpath_core::Reason;

use super::{CLIENT4, CLIENT6, Case};
use crate::packet::{PacketBuilder, ip, tcp, udp};

const VIP4: &str = "203.0.113.10";
const VIP6: &str = "2001:db8:a::10";

fn web() -> PacketBuilder {
    tcp(CLIENT4, "203.0.113.10:80")
}

fn web6() -> PacketBuilder {
    tcp(CLIENT6, "[2001:db8:a::10]:80")
}

fn dns() -> PacketBuilder {
    udp(CLIENT4, "203.0.113.10:53")
}

fn dns6() -> PacketBuilder {
    udp(CLIENT6, "[2001:db8:a::10]:53")
}

pub(super) fn cases() -> Vec<Case> {
    [headers(), lengths(), transports(), extension_headers(), fragments(), tables()].concat()
}

fn headers() -> Vec<Case> {
    let row = |what: &str, packet: PacketBuilder| Case::drop(what, Reason::IpHeader, &packet);
    vec![
        row("IPv4 of version 5", web().claim_version(5)),
        row("IPv4 of version 6", web().claim_version(6)),
        row("IPv4 of version 5 behind tags", web().claim_version(5).qinq(7, 8)),
        row("IHL of 4", web().claim_header_words(4)),
        row("IHL of 0", web().claim_header_words(0)),
        row("IPv6 of version 4", web6().claim_version(4)),
    ]
}

fn lengths() -> Vec<Case> {
    let row = |what: &str, packet: PacketBuilder| Case::drop(what, Reason::IpLength, &packet);
    vec![
        row("total length of 0", web().claim_ip_length(0)),
        row("total length less than the header", web().claim_ip_length(19)),
        row("total length less than the header with options", web().ip_options(&[1; 8]).claim_ip_length(27)),
        row("total length of one byte more than there is", web().payload(b"").claim_ip_length(41)),
        row("IHL beyond the packet", web().payload(b"").claim_header_words(15)),
        row("frame cut within the transport header", web().cut_to(14 + 20 + 10)),
        row("frame cut behind the IP header", web().cut_to(14 + 20)),
        row(
            "malformed packet of a protocol that is not balanced",
            ip(47, "198.51.100.10", VIP4).claim_ip_length(99),
        ),
        row("payload length of one byte more than there is", web6().payload(b"").claim_ip_length(21)),
        row("payload length beyond 16 bits with the header", web6().claim_ip_length(u16::MAX)),
        row("IPv6 frame cut within the transport header", web6().cut_to(14 + 40 + 10)),
        row("extension header longer than the packet", web6().extension(60, vec![255, 0, 0, 0, 0, 0, 0])),
    ]
}

fn transports() -> Vec<Case> {
    let row = |what: &str, packet: PacketBuilder| Case::drop(what, Reason::TransportHeader, &packet);
    let client4 = "198.51.100.10";
    let client6 = "2001:db8:1::10";
    vec![
        row("TCP header cut short", ip(6, client4, VIP4).payload(&[0x50; 19])),
        row("TCP header that is not there", ip(6, client4, VIP4).payload(&[])),
        row("TCP header beyond the IP length", web().claim_ip_length(39)),
        row("data offset of 4", web().claim_data_offset(4)),
        row("data offset of 0", web().claim_data_offset(0)),
        row("data offset beyond the segment", web().payload(b"").claim_data_offset(6)),
        row("UDP header cut short", ip(17, client4, VIP4).payload(&[0x50; 7])),
        row("UDP length less than its header", dns().claim_udp_length(7)),
        row("UDP length of 0", dns().claim_udp_length(0)),
        row("UDP length beyond the IP packet", dns().payload(b"").claim_udp_length(9)),
        row("UDP length that only padding fills", dns().payload(b"").claim_udp_length(14).padding(6)),
        row("TCP header cut short, IPv6", ip(6, client6, VIP6).payload(&[0x50; 19])),
        row("data offset of 4, IPv6", web6().claim_data_offset(4)),
        row("payload length of 0, IPv6", web6().claim_ip_length(0)),
        row("UDP header cut short, IPv6", ip(17, client6, VIP6).payload(&[0x50; 7])),
        row("UDP length less than its header, IPv6", dns6().claim_udp_length(7)),
        row("UDP without a checksum, IPv6 (RFC 8200, 8.1)", dns6().no_checksum()),
    ]
}

fn extension_headers() -> Vec<Case> {
    let row = |what: &str, packet: PacketBuilder| Case::drop(what, Reason::ExtensionHeader, &packet);
    let client6 = "2001:db8:1::10";
    vec![
        row("segments left", web6().routing(1)),
        row("segments left behind other headers", web6().hop_by_hop(1).destination_options(1).routing(2)),
        row("more headers than are walked", (0..7).fold(web6(), |packet, _| packet.destination_options(1))),
        row("hop-by-hop header cut short", ip(0, client6, VIP6).payload(&[6])),
        row("routing header cut short", ip(43, client6, VIP6).payload(&[6, 0, 0])),
    ]
}

fn fragments() -> Vec<Case> {
    let row = |what: &str, packet: PacketBuilder| Case::drop(what, Reason::Fragment, &packet);
    vec![
        row("fragment in the middle whose first was not seen", web().fragment(2, true)),
        row("last fragment whose first was not seen", dns().fragment(185, false)),
        row("last fragment whose first was not seen, IPv6", dns6().fragment(181, false)),
    ]
}

/// Well-formed packets for which the tables have no way on.
fn tables() -> Vec<Case> {
    let to = |port: u16| tcp(CLIENT4, &format!("203.0.113.10:{port}"));
    vec![
        Case::drop("TTL of 1", Reason::TtlExpired, &web().ttl(1)),
        Case::drop("TTL of 0", Reason::TtlExpired, &web().ttl(0)),
        Case::drop("TTL of 1, dsr", Reason::TtlExpired, &to(443).ttl(1)),
        Case::drop("hop limit of 1", Reason::TtlExpired, &web6().ttl(1)),
        Case::drop("hop limit of 0, UDP", Reason::TtlExpired, &dns6().ttl(0)),
        Case::drop("no backend", Reason::NoBackend, &to(90)),
        Case::drop("no next hop", Reason::NoNextHop, &to(91)),
        Case::drop("no source of the backend's family", Reason::NoSource, &to(95)),
        Case::drop(
            "no service of a VIP that is only routed here",
            Reason::NoService,
            &tcp(CLIENT4, "203.0.113.31:81"),
        ),
        Case::drop("a backend of another service", Reason::StaleSlot, &to(92)),
    ]
}
