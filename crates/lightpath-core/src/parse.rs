//! From bytes to a [`Frame`]: what every later step needs to know of a packet, and no decision.

use core::hint::black_box;

use lightpath_abi::{Address, Features};

use crate::wire::{TCP, UDP, ethernet, ipv4, ipv6, tcp, udp};
use crate::{OutOfBounds, Packet, Reason};

/// IPv6 extension headers walked before the packet is given up. RFC 8200, 4.1 lists four that can precede a transport header
/// in a sensible packet.
const MAX_EXTENSION_HEADERS: usize = 6;

/// A TCP or UDP packet over IPv4 or IPv6 whose lengths agree with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Offset of the IP header.
    pub network: usize,
    /// Offset of the TCP or UDP header.
    pub transport: usize,
    /// Whether the packet is IPv4.
    pub v4: bool,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// IP protocol number of the transport: TCP or UDP.
    pub protocol: u8,
    /// TCP: whether this packet opens a connection: SYN without ACK.
    pub syn: bool,
    /// TCP: sequence number; 0 in UDP.
    pub sequence: u32,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Type of service or traffic class.
    pub tos: u8,
    /// Bytes from the IP header on.
    pub length: u16,
    /// Checksum of the IPv4 header; 0 in IPv6, which has none.
    pub network_checksum: u16,
    /// Checksum of the TCP or UDP header.
    pub transport_checksum: u16,
}

/// A packet without a [`Frame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Nothing Lightpath balances: another protocol, or too short to say.
    Foreign,
    /// It cannot be forwarded, for this reason; whether that matters depends on whose packet it is.
    Malformed(Reason),
}

impl From<Reason> for Reject {
    #[inline(always)]
    fn from(reason: Reason) -> Self {
        Self::Malformed(reason)
    }
}

/// Outside of the headers nothing is known to be addressed to anybody.
impl From<OutOfBounds> for Reject {
    #[inline(always)]
    fn from(_: OutOfBounds) -> Self {
        Self::Foreign
    }
}

/// Finds and checks the headers of a packet.
#[inline(always)]
pub fn parse<P: Packet>(packet: &P, features: Features) -> Result<Frame, Reject> {
    match link(packet, features) {
        Link::Ipv4(offset) => ipv4(packet, offset),
        Link::Ipv6(offset) => ipv6(packet, offset),
        Link::Foreign => Err(Reject::Foreign),
    }
}

/// What an Ethernet frame carries, and at which offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Ipv4(usize),
    Ipv6(usize),
    /// A protocol that is not balanced, or a family that is not configured.
    Foreign,
}

/// Where an IP packet was sent, however malformed the rest of it is.
#[inline(always)]
pub(crate) fn destination<P: Packet>(packet: &P, link: Link) -> Result<Address, OutOfBounds> {
    match link {
        Link::Ipv4(offset) => Ok(Address::v4(ipv4::Header::load(packet, offset)?.destination())),
        Link::Ipv6(offset) => Ok(ipv6::Header::load(packet, offset)?.destination()),
        Link::Foreign => Err(OutOfBounds),
    }
}

/// Looks behind the Ethernet header and at most two tags.
#[inline(always)]
pub(crate) fn link<P: Packet>(packet: &P, features: Features) -> Link {
    match network(packet, features) {
        Ok((ethernet::IPV4, offset)) if features.has(Features::IPV4) => Link::Ipv4(offset),
        Ok((ethernet::IPV6, offset)) if features.has(Features::IPV6) => Link::Ipv6(offset),
        _ => Link::Foreign,
    }
}

#[inline(always)]
fn network<P: Packet>(packet: &P, features: Features) -> Result<(u16, usize), OutOfBounds> {
    let mut ether_type = ethernet::ether_type(packet, ethernet::ETHER_TYPE)?;
    let mut offset = ethernet::LENGTH;
    if features.has(Features::VLAN) && ethernet::is_tag(ether_type) {
        ether_type = ethernet::ether_type(packet, ethernet::ETHER_TYPE + ethernet::TAG_LENGTH)?;
        offset += ethernet::TAG_LENGTH;
        if ethernet::is_tag(ether_type) {
            ether_type = ethernet::ether_type(packet, ethernet::ETHER_TYPE + 2 * ethernet::TAG_LENGTH)?;
            offset += ethernet::TAG_LENGTH;
        }
        // The verifier would walk everything that follows once for each number of tags.
        offset = black_box(offset);
    }
    Ok((ether_type, offset))
}

/// An IP header and where its payload is.
struct Internet {
    v4: bool,
    offset: usize,
    payload: usize,
    payload_length: usize,
    source: Address,
    destination: Address,
    protocol: u8,
    ttl: u8,
    tos: u8,
    length: u16,
    checksum: u16,
}

#[inline(always)]
pub(crate) fn ipv4<P: Packet>(packet: &P, offset: usize) -> Result<Frame, Reject> {
    let header = ipv4::Header::load(packet, offset)?;
    let header_length = header.header_length();
    let length = header.total_length();
    if header.version() != 4 || header_length < ipv4::LENGTH {
        return Err(Reason::IpHeader.into());
    }
    if (length as usize) < header_length || length as usize > packet.len() - offset {
        return Err(Reason::IpLength.into());
    }
    if header.protocol() != TCP && header.protocol() != UDP {
        return Err(Reject::Foreign);
    }
    if header.is_fragment() {
        return Err(Reason::Fragment.into());
    }
    let internet = Internet {
        v4: true,
        offset,
        payload: offset + header_length,
        payload_length: length as usize - header_length,
        source: Address::v4(header.source()),
        destination: Address::v4(header.destination()),
        protocol: header.protocol(),
        ttl: header.ttl(),
        tos: header.tos(),
        length,
        checksum: header.checksum(),
    };
    transport(packet, &internet)
}

#[inline(always)]
pub(crate) fn ipv6<P: Packet>(packet: &P, offset: usize) -> Result<Frame, Reject> {
    let header = ipv6::Header::load(packet, offset)?;
    if header.source().is_v4() || header.destination().is_v4() {
        // IPv4-mapped addresses do not travel (RFC 4291, 2.5.5.2), and here they would be taken for IPv4.
        return Err(Reject::Foreign);
    }
    let length = header.payload_length() as usize + ipv6::LENGTH;
    if header.version() != 6 {
        return Err(Reason::IpHeader.into());
    }
    let Ok(total_length) = u16::try_from(length) else {
        return Err(Reason::IpLength.into());
    };
    if length > packet.len() - offset {
        return Err(Reason::IpLength.into());
    }
    let (protocol, skipped) = extensions(packet, offset + ipv6::LENGTH, header.next_header())?;
    if ipv6::LENGTH + skipped > length {
        return Err(Reason::IpLength.into());
    }
    let internet = Internet {
        v4: false,
        offset,
        payload: offset + ipv6::LENGTH + skipped,
        payload_length: length - ipv6::LENGTH - skipped,
        source: header.source(),
        destination: header.destination(),
        protocol,
        ttl: header.hop_limit(),
        tos: header.traffic_class(),
        length: total_length,
        checksum: 0,
    };
    transport(packet, &internet)
}

/// Walks extension headers from `offset` on: the transport protocol and the bytes before it.
#[inline(always)]
fn extensions<P: Packet>(packet: &P, offset: usize, first: u8) -> Result<(u8, usize), Reject> {
    let cut_short = |OutOfBounds| Reject::Malformed(Reason::ExtensionHeader);
    let mut next = first;
    let mut skipped = 0;
    for _ in 0..=MAX_EXTENSION_HEADERS {
        match next {
            TCP | UDP => return Ok((next, skipped)),
            ipv6::HOP_BY_HOP | ipv6::DESTINATION_OPTIONS => {}
            ipv6::ROUTING => {
                if ipv6::segments_left(packet, offset + skipped).map_err(cut_short)? != 0 {
                    return Err(Reason::ExtensionHeader.into());
                }
            }
            ipv6::FRAGMENT => return Err(Reason::Fragment.into()),
            _ => return Err(Reject::Foreign),
        }
        let (following, length) = ipv6::extension(packet, offset + skipped).map_err(cut_short)?;
        next = following;
        skipped += length;
    }
    Err(Reason::ExtensionHeader.into())
}

#[inline(always)]
fn transport<P: Packet>(packet: &P, internet: &Internet) -> Result<Frame, Reject> {
    let cut_short = |OutOfBounds| Reject::Malformed(Reason::TransportHeader);
    let ports;
    let (needed, syn, sequence, checksum) = if internet.protocol == TCP {
        let header = tcp::Header::load(packet, internet.payload).map_err(cut_short)?;
        if header.header_length() < tcp::LENGTH {
            return Err(Reason::TransportHeader.into());
        }
        ports = (header.source_port(), header.destination_port());
        (header.header_length(), header.opens(), header.sequence(), header.checksum())
    } else {
        let header = udp::Header::load(packet, internet.payload).map_err(cut_short)?;
        let length = header.length() as usize;
        if length < udp::LENGTH || (!internet.v4 && header.checksum() == 0) {
            return Err(Reason::TransportHeader.into());
        }
        ports = (header.source_port(), header.destination_port());
        (length, false, 0, header.checksum())
    };
    if needed > internet.payload_length {
        return Err(Reason::TransportHeader.into());
    }
    Ok(Frame {
        network: internet.offset,
        transport: internet.payload,
        v4: internet.v4,
        source: internet.source,
        destination: internet.destination,
        source_port: ports.0,
        destination_port: ports.1,
        protocol: internet.protocol,
        syn,
        sequence,
        ttl: internet.ttl,
        tos: internet.tos,
        length: internet.length,
        network_checksum: internet.checksum,
        transport_checksum: checksum,
    })
}
