//! Rewrites of any packet, against the packet built from scratch.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use lightpath_abi::{Address, Backend, Entry, Features, NextHop};
use lightpath_core::host::Buffer;
use lightpath_core::wire::UDP;
use lightpath_core::{Direction, Egress, Forwarding, Frame, Rewrite, SlicePacket, apply, parse};
use lightpath_testkit::packet::{PacketBuilder, tcp, udp};
use lightpath_testkit::{assert_packets_equal, checksums_are_right};
use proptest::prelude::*;

/// An address and port as written, IPv4 or IPv6; addresses of zeros and ones among them, in the other form of a zero sum.
fn endpoint(v4: bool) -> impl Strategy<Value = String> {
    let octets = prop_oneof![4 => any::<u32>(), 1 => Just(0x0000_ffff), 1 => Just(u32::MAX), 1 => Just(1)];
    let segments =
        prop_oneof![4 => any::<u128>(), 1 => Just(0xffff_u128), 1 => Just(u128::MAX), 1 => Just(1)];
    (octets, segments, 1..=u16::MAX).prop_map(move |(low, all, port)| {
        if v4 {
            format!("{}:{port}", Ipv4Addr::from_bits(low))
        } else {
            // Neither mapped IPv4 nor anything like it.
            format!("[{}]:{port}", Ipv6Addr::from_bits(all | 1 << 125))
        }
    })
}

/// Four endpoints of one family: a packet's source and destination, and what they become.
fn endpoints() -> impl Strategy<Value = [String; 4]> {
    any::<bool>().prop_flat_map(|v4| [endpoint(v4), endpoint(v4), endpoint(v4), endpoint(v4)])
}

/// Everything that may surround the fields that are rewritten.
fn decoration() -> impl Strategy<Value = Decoration> {
    let payload = prop::collection::vec(any::<u8>(), 0..64);
    (any::<bool>(), 0..4_u8, 0..11_usize, 0..4_u8, 3..=255_u8, any::<u8>(), payload, any::<bool>()).prop_map(
        |(over_tcp, tags, options, extensions, ttl, tos, payload, checksum)| Decoration {
            over_tcp,
            tags,
            options,
            extensions,
            ttl,
            tos,
            payload,
            checksum,
        },
    )
}

#[derive(Clone, Debug)]
struct Decoration {
    over_tcp: bool,
    tags: u8,
    options: usize,
    extensions: u8,
    ttl: u8,
    tos: u8,
    payload: Vec<u8>,
    checksum: bool,
}

impl Decoration {
    fn packet(&self, source: &str, destination: &str) -> PacketBuilder {
        let mut packet = if self.over_tcp { tcp(source, destination) } else { udp(source, destination) };
        packet = packet.ttl(self.ttl).tos(self.tos).payload(&self.payload);
        packet = match self.tags {
            1 => packet.vlan(5),
            2 => packet.qinq(7, 8),
            _ => packet,
        };
        if source.starts_with('[') {
            return (0..self.extensions).fold(packet, |packet, _| packet.destination_options(1));
        }
        packet = packet.ip_options(&vec![1; self.options * 4]);
        if self.over_tcp || self.checksum { packet } else { packet.no_checksum() }
    }
}

fn rewritten(packet: &[u8], rewrite: Rewrite<'_>, egress: Egress<'_>) -> Vec<u8> {
    let mut packet = Buffer::new(packet);
    let frame = parse(&packet, Features::ALL).unwrap();
    let forwarding =
        Forwarding { direction: Direction::ToBackend, backend: 1, service: 1, rewrite, egress, opens: false };
    assert_eq!(apply(&forwarding, &frame, &mut packet, Features::ALL), Ok(()));
    packet.bytes().to_vec()
}

fn frame(packet: &[u8]) -> Frame {
    parse(&SlicePacket(&mut packet.to_vec()), Features::ALL).unwrap()
}

/// A backend that is reached at an endpoint.
fn backend(endpoint: &str) -> Backend {
    let (address, port) = address(endpoint);
    Backend { address, port, ..Backend::default() }
}

/// The line by which replies get an endpoint as their source.
fn reply(endpoint: &str) -> Entry {
    let (vip, vip_port) = address(endpoint);
    Entry { vip, vip_port, ..Entry::default() }
}

fn address(endpoint: &str) -> (Address, u16) {
    let endpoint: SocketAddr = endpoint.parse().unwrap();
    (endpoint.ip().into(), endpoint.port())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// A rewritten packet is the packet that would have been sent between the new endpoints.
    #[test]
    fn a_rewrite_is_the_packet_built_anew(
        [source, destination, new_source, new_destination] in endpoints(), decoration in decoration(),
    ) {
        let packet = decoration.packet(&source, &destination).build();
        let actual = rewritten(&packet, Rewrite::Destination(&backend(&new_destination)), Egress::Routed(NextHop::default()));
        assert_packets_equal("destination", &decoration.packet(&source, &new_destination).build(), &actual);
        let actual = rewritten(&packet, Rewrite::Source(&reply(&new_source)), Egress::Routed(NextHop::default()));
        assert_packets_equal("source", &decoration.packet(&new_source, &destination).build(), &actual);
    }

    /// There and back again only the MAC addresses and the TTL have changed.
    #[test]
    fn nat_and_its_undoing_leave_the_packet_as_it_was(
        [source, destination, other, _] in endpoints(), decoration in decoration(),
    ) {
        let hop = NextHop { mac: [2, 0, 0, 0, 0, 1], source_mac: [2, 0, 0, 0, 0, 2], vlan: 0, mtu: 0, interface: 2 };
        let packet = decoration.packet(&source, &destination);
        let expected = Decoration { tags: 0, ..decoration.clone() }.packet(&source, &destination);
        let expected = expected.macs(hop.mac, hop.source_mac).ttl(decoration.ttl - 2).build();
        let there = rewritten(&packet.build(), Rewrite::Destination(&backend(&other)), Egress::Backend(&hop));
        prop_assert_eq!(checksums_are_right(&there), Ok(()));
        let back = rewritten(&there, Rewrite::Destination(&backend(&destination)), Egress::Backend(&hop));
        assert_packets_equal("and back", &expected, &back);
    }

    /// RFC 768: 0 is no checksum, so none is made where there was none, and none is lost where there was one.
    #[test]
    fn a_udp_checksum_is_zero_only_if_it_was(
        [source, destination, other, _] in endpoints(), decoration in decoration(),
    ) {
        let packet = Decoration { over_tcp: false, ..decoration }.packet(&source, &destination).build();
        let sent = rewritten(&packet, Rewrite::Destination(&backend(&other)), Egress::Routed(NextHop::default()));
        prop_assert_eq!(frame(&packet).protocol, UDP);
        prop_assert_eq!(frame(&packet).transport_checksum == 0, frame(&sent).transport_checksum == 0);
    }

    /// A packet with a wrong checksum is the receiver's to refuse: it must not come out right.
    #[test]
    fn a_wrong_checksum_stays_wrong(
        [source, destination, other, _] in endpoints(), decoration in decoration(), error in 1..0xffff_u16,
    ) {
        let mut packet = Decoration { over_tcp: true, ..decoration }.packet(&source, &destination).build();
        let at = frame(&packet).transport + 16;
        let wrong = frame(&packet).transport_checksum ^ error;
        packet[at..at + 2].copy_from_slice(&wrong.to_be_bytes());
        prop_assume!(checksums_are_right(&packet).is_err());
        let sent = rewritten(&packet, Rewrite::Destination(&backend(&other)), Egress::Routed(NextHop::default()));
        prop_assert!(checksums_are_right(&sent).is_err());
    }
}
