//! The header that a tunnel puts before a packet, read by etherparse.

use std::net::IpAddr;

use etherparse::{EtherType, NetSlice, SlicedPacket, TransportSlice};
use lightpath_abi::Address;
use lightpath_core::wire::udp;
use lightpath_core::{Frame, Outer, Rewrite};

use super::judge::outer_length;

/// Fails unless the packet that leaves begins with the outer header that `outer` and the packet in it ask for; else what is
/// behind it.
#[track_caller]
pub(super) fn assert_outer<'a>(outer: &Outer<'_>, frame: &Frame, sent: &'a [u8]) -> &'a [u8] {
    let v4 = outer.backend.address.is_v4();
    let ether_type = if v4 { EtherType::IPV4 } else { EtherType::IPV6 };
    let sliced = SlicedPacket::from_ether_type(ether_type, sent).expect("a packet in a tunnel");
    let inside = if frame.v4 { 4 } else { 41 };
    let protocol = if outer.gue { 17 } else { inside };
    let headers = outer_length(&Rewrite::Encapsulate(*outer));
    let length = headers + frame.length;
    match sliced.net.expect("an IP packet") {
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            let tos = header.dcp().value() << 2 | header.ecn().value();
            assert_eq!((tos, header.total_len(), header.protocol().0), (frame.tos, length, protocol));
            assert!(
                header.dont_fragment() && header.ttl() == 64 && header.options().is_empty(),
                "{header:?}"
            );
            assert_eq!(header.header_checksum(), header.to_header().calc_header_checksum());
            assert_ends(
                outer,
                [header.source_addr().to_bits(), header.destination_addr().to_bits()].map(Address::v4),
            );
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            let fields = (header.traffic_class(), header.payload_length(), header.next_header().0);
            assert_eq!(fields, (frame.tos, length - 40, protocol));
            assert_eq!(header.hop_limit(), 64);
            assert_ends(
                outer,
                [header.source_addr(), header.destination_addr()].map(|end| IpAddr::V6(end).into()),
            );
        }
        NetSlice::Arp(arp) => panic!("{arp:?}"),
    }
    if outer.gue {
        let Some(TransportSlice::Udp(header)) = sliced.transport else { panic!("a UDP header") };
        assert_eq!((header.destination_port(), header.checksum()), (udp::GUE, 0));
        assert_eq!(header.length(), frame.length + 8);
    }
    &sent[usize::from(headers)..]
}

/// From one of this node's addresses to the backend.
#[track_caller]
fn assert_ends(outer: &Outer<'_>, [source, destination]: [Address; 2]) {
    let (own, spread) = (outer.source.address, outer.source.spread);
    assert_eq!((source.high, source.low & !spread), (own.high, own.low & !spread));
    assert_eq!(destination, outer.backend.address);
}
