use std::ops::Range;

use etherparse::{EtherType, NetSlice, SlicedPacket, TransportSlice};
use lightpath_abi::{Address, Features};
use lightpath_core::wire::{ICMP, ICMPV6, TCP, UDP, ethernet, icmp, tcp, udp};
use lightpath_core::{Frame, Part, Reason, Reject, SlicePacket, parse_any};

use crate::describe;

/// Parses an Ethernet frame.
///
/// - Lengths and offsets lie within the frame and agree with each other.
/// - Only headers count: neither what the packet carries nor what follows it changes anything, and a packet that is cut short is
///   rejected.
/// - Fragments and ICMP are rejected as such where whole packets of flows are wanted; nothing else differs there.
/// - A feature that is off makes what it would have read foreign, and changes nothing else.
/// - A packet that etherparse takes for TCP or UDP is taken for the same, with the same fields, unless Lightpath is stricter
///   for a reason given here.
pub fn parse(frame: &[u8]) -> Result<Frame, Reject> {
    let parsed = parsed(frame, Features::ALL);
    let link = link(frame);
    whole_packets_are_parsed_alike(frame, parsed);
    features_only_take_away(frame, parsed, link);
    match parsed {
        Ok(found) => {
            fits(&found, frame, link);
            only_headers_count(&found, frame);
        }
        Err(Reject::Malformed(reason)) => assert!(
            matches!(
                reason,
                Reason::IpHeader | Reason::IpLength | Reason::TransportHeader | Reason::ExtensionHeader
            ),
            "{reason:?} is nothing that parsing finds out\n{}",
            describe(frame)
        ),
        Err(Reject::Fragment | Reject::Icmp) => panic!("it is as good as any\n{}", describe(frame)),
        Err(Reject::Foreign) => {}
    }
    if let Some(link) = link {
        agrees_with_etherparse(link.family, &frame[link.network..], parsed);
    }
    parsed
}

fn parsed(frame: &[u8], features: Features) -> Result<Frame, Reject> {
    parse_any(&SlicePacket(&mut frame.to_vec()), features)
}

fn whole_packets_are_parsed_alike(frame: &[u8], parsed: Result<Frame, Reject>) {
    let whole = lightpath_core::parse(&SlicePacket(&mut frame.to_vec()), Features::ALL);
    let alike = match (whole, parsed) {
        (Ok(whole), Ok(part)) => {
            whole == part && part.part == Part::Whole && matches!(part.protocol, TCP | UDP)
        }
        // Or something is wrong behind what says that it is one.
        (Err(Reject::Fragment | Reject::Icmp), _) => true,
        (Err(whole), Err(part)) => whole == part,
        _ => false,
    };
    assert!(alike, "{whole:?}, but {parsed:?}\n{}", describe(frame));
}

/// What precedes an IP packet.
#[derive(Clone, Copy)]
pub(super) struct Link {
    tagged: bool,
    pub(super) family: Features,
    /// Offset of the IP header.
    pub(super) network: usize,
}

/// Looks behind at most two tags for an IP packet.
pub(super) fn link(frame: &[u8]) -> Option<Link> {
    let types: Vec<u16> = (12..=20)
        .step_by(4)
        .map_while(|at| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?])))
        .collect();
    let tags = types.iter().take_while(|of| matches!(**of, ethernet::VLAN | ethernet::SERVICE_VLAN)).count();
    let family = match *types.get(tags)? {
        ethernet::IPV4 => Features::IPV4,
        ethernet::IPV6 => Features::IPV6,
        _ => return None,
    };
    Some(Link { tagged: tags > 0, family, network: 14 + 4 * tags })
}

fn features_only_take_away(frame: &[u8], with_all: Result<Frame, Reject>, link: Option<Link>) {
    for bits in 0..8 {
        let features = [Features::IPV4, Features::IPV6, Features::VLAN]
            .into_iter()
            .enumerate()
            .filter(|(bit, _)| bits >> bit & 1 == 1)
            .fold(Features::default(), |sum, (_, feature)| sum | feature);
        let read = link
            .is_some_and(|link| features.has(link.family) && (!link.tagged || features.has(Features::VLAN)));
        let expected = if read { with_all } else { Err(Reject::Foreign) };
        assert_eq!(parsed(frame, features), expected, "{features:?}\n{}", describe(frame));
    }
}

fn fits(found: &Frame, frame: &[u8], link: Option<Link>) {
    let link = link.expect("only IP packets are parsed");
    let Range { start, end } = ip_packet(found);
    assert_eq!((start, found.v4), (link.network, link.family == Features::IPV4), "{}", describe(frame));
    assert!(end <= frame.len(), "{end} of {}\n{}", frame.len(), describe(frame));
    let ip_header = if found.v4 { 20..=60 } else { 40..=usize::from(u16::MAX) };
    assert!(ip_header.contains(&(found.transport - start)), "{found:?}\n{}", describe(frame));
    assert!(headers_end(found) <= end, "{found:?}\n{}", describe(frame));
    assert_eq!((found.source.is_v4(), found.destination.is_v4()), (found.v4, found.v4), "{found:?}");
}

/// Where the IP packet is in the frame.
fn ip_packet(found: &Frame) -> Range<usize> {
    found.network..found.network + usize::from(found.length)
}

/// The end of the last header whose fields a [`Frame`] holds.
fn headers_end(found: &Frame) -> usize {
    match found.protocol {
        TCP if found.part != Part::Later => found.transport + tcp::LENGTH,
        UDP if found.part != Part::Later => found.transport + udp::LENGTH,
        ICMP | ICMPV6 if found.part != Part::Later => found.transport + icmp::LENGTH,
        _ => found.transport,
    }
}

fn only_headers_count(found: &Frame, frame: &[u8]) {
    let Range { start, end } = ip_packet(found);
    let headers_end = headers_end(found);
    let mut other = frame.to_vec();
    other[..12].iter_mut().for_each(|byte| *byte ^= 0xff);
    other[headers_end..].iter_mut().for_each(|byte| *byte ^= 0xff);
    assert_eq!(parsed(&other, Features::ALL), Ok(*found), "{}", describe(frame));
    assert_eq!(parsed(&frame[..end], Features::ALL), Ok(*found), "{}", describe(frame));
    for cut in [0, start, start + 1, found.transport - 1, headers_end - 1, end - 1] {
        assert!(parsed(&frame[..cut], Features::ALL).is_err(), "cut to {cut}\n{}", describe(frame));
    }
}

fn agrees_with_etherparse(family: Features, packet: &[u8], parsed: Result<Frame, Reject>) {
    let ether_type = if family == Features::IPV4 { EtherType::IPV4 } else { EtherType::IPV6 };
    let Ok(sliced) = SlicedPacket::from_ether_type(ether_type, packet) else { return };
    match (parsed, Endpoints::of(&sliced)) {
        (Ok(found), theirs) if !matches!(found.protocol, TCP | UDP) => {
            assert_eq!(theirs, None, "{packet:02x?}");
        }
        (Ok(found), _) if found.part != Part::Whole => {
            assert!(sliced.is_ip_payload_fragmented(), "{found:?}\n{packet:02x?}");
        }
        (Ok(found), theirs) => assert_eq!(theirs, Some(Endpoints::from(&found)), "{packet:02x?}"),
        (Err(_), None) => {}
        (Err(reject), Some(theirs)) => {
            assert!(is_stricter(&sliced, packet), "{reject:?}, but {theirs:?}\n{packet:02x?}");
        }
    }
}

/// What both parsers say of a packet.
#[derive(Debug, PartialEq, Eq)]
struct Endpoints {
    addresses: [Address; 2],
    ports: [u16; 2],
    ttl: u8,
    tos: u8,
    syn: bool,
    sequence: u32,
}

impl Endpoints {
    fn of(packet: &SlicedPacket<'_>) -> Option<Self> {
        let (ports, syn, sequence) = match packet.transport.as_ref()? {
            TransportSlice::Tcp(tcp) => {
                let opens = tcp.syn() && !tcp.ack() && !tcp.rst() && !tcp.fin();
                ([tcp.source_port(), tcp.destination_port()], opens, tcp.sequence_number())
            }
            TransportSlice::Udp(udp) => ([udp.source_port(), udp.destination_port()], false, 0),
            _ => return None,
        };
        let (addresses, ttl, tos) = match packet.net.as_ref()? {
            NetSlice::Ipv4(ip) => {
                let header = ip.header();
                let addresses = [header.source_addr(), header.destination_addr()]
                    .map(|address| Address::v4(address.to_bits()));
                (addresses, header.ttl(), header.dcp().value() << 2 | header.ecn().value())
            }
            NetSlice::Ipv6(ip) => {
                let header = ip.header();
                let addresses = [header.source_addr(), header.destination_addr()]
                    .map(|address| std::net::IpAddr::V6(address).into());
                (addresses, header.hop_limit(), header.traffic_class())
            }
            NetSlice::Arp(_) => return None,
        };
        Some(Self { addresses, ports, ttl, tos, syn, sequence })
    }
}

impl From<&Frame> for Endpoints {
    fn from(found: &Frame) -> Self {
        Self {
            addresses: [found.source, found.destination],
            ports: [found.source_port, found.destination_port],
            ttl: found.ttl,
            tos: found.tos,
            syn: found.syn,
            sequence: found.sequence,
        }
    }
}

/// Whether Lightpath has a reason not to take what etherparse takes for a TCP or UDP packet.
fn is_stricter(theirs: &SlicedPacket<'_>, packet: &[u8]) -> bool {
    let udp_is_unusable = match &theirs.transport {
        // A length of 0 is for jumbograms (RFC 2675), which no XDP packet is; a checksum is needed in IPv6 (RFC 8200, 8.1).
        Some(TransportSlice::Udp(udp)) => {
            udp.length() == 0 || (udp.checksum() == 0 && matches!(theirs.net, Some(NetSlice::Ipv6(_))))
        }
        _ => false,
    };
    udp_is_unusable
        || match &theirs.net {
            // An authentication header covers the addresses (RFC 4302): such a packet cannot be rewritten.
            Some(NetSlice::Ipv4(ip)) => ip.extensions().auth.is_some(),
            Some(NetSlice::Ipv6(ip)) => {
                let header = ip.header();
                let mapped = [header.source_addr(), header.destination_addr()]
                    .into_iter()
                    .any(|address| address.to_ipv4_mapped().is_some());
                mapped
                    || header.payload_length() == 0
                    || !can_be_walked(header.next_header().0, &packet[40..])
            }
            _ => true,
        }
}

/// Whether there are at most six extension headers, all of which may be walked past: a routing header only when it has no
/// segments left. A fragment header has no length of its own, being as long as the shortest.
fn can_be_walked(first: u8, headers: &[u8]) -> bool {
    let (mut next, mut rest) = (first, headers);
    for _ in 0..=6 {
        match next {
            6 | 17 => return true,
            0 | 44 | 60 => {}
            43 if rest.get(3) == Some(&0) => {}
            _ => return false,
        }
        let [following, units, ..] = *rest else { return false };
        let units = if next == 44 { 0 } else { usize::from(units) };
        next = following;
        rest = rest.get((units + 1) * 8..).unwrap_or_default();
    }
    false
}
