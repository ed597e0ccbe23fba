//! From bytes to a [`Frame`]: what every later step needs to know of a packet, and no decision.

use core::hint::black_box;

use lightpath_abi::{Address, Features};

use crate::wire::{ICMP, ICMPV6, TCP, UDP, ethernet, icmp, ipv4, ipv6, tcp, udp};
use crate::{OutOfBounds, Packet, Reason};

/// IPv6 extension headers walked before the packet is given up. RFC 8200, 4.1 lists four that can precede a transport header
/// in a sensible packet.
const MAX_EXTENSION_HEADERS: usize = 6;

/// A packet of TCP or UDP, or in the slow path of ICMP, over IPv4 or IPv6, whose lengths agree with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Offset of the IP header.
    pub network: usize,
    /// Offset of the TCP, UDP or ICMP header.
    pub transport: usize,
    /// Whether the packet is IPv4.
    pub v4: bool,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// Source port; 0 in ICMP.
    pub source_port: u16,
    /// Destination port; 0 in ICMP.
    pub destination_port: u16,
    /// IP protocol number of the transport.
    pub protocol: u8,
    /// TCP: whether this packet opens a connection: SYN without ACK.
    pub syn: bool,
    /// TCP: its flags; else 0.
    pub flags: u8,
    /// TCP: sequence number; else 0.
    pub sequence: u32,
    /// Which part of its datagram it is. A later one has no transport header: its ports are those of the first, once they
    /// are known, and the transport's other fields are 0.
    pub part: Part,
    /// Fragments: what tells datagrams apart.
    pub identification: u32,
    /// Whether routers must not fragment it; always so in IPv6.
    pub dont_fragment: bool,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Type of service or traffic class.
    pub tos: u8,
    /// Bytes from the IP header on.
    pub length: u16,
    /// Checksum of the IPv4 header; 0 in IPv6, which has none.
    pub network_checksum: u16,
    /// Checksum of the TCP, UDP or ICMP header.
    pub transport_checksum: u16,
}

impl Frame {
    /// Bytes of the whole packet from the Ethernet header on, of which `reached` can be reached. Those may be more, where Ethernet
    /// padded a short packet, or less, where a long one lies in several pieces.
    #[inline(always)]
    #[must_use]
    pub const fn bytes(&self, reached: usize) -> usize {
        let length = self.network + self.length as usize;
        if length > reached { length } else { reached }
    }
}

/// Which part of a datagram a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The first fragment, with the transport header.
    First,
    /// Another fragment.
    Later,
    /// Not a packet of its own: an ICMP error quotes one that went the other way, and this is how the flow goes.
    Quoted,
}

/// A packet without a [`Frame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Nothing Lightpath balances: another protocol, or too short to say.
    Foreign,
    /// ICMP or ICMPv6, which [`parse_any`] makes a frame of.
    Icmp,
    /// A part of a datagram, of which [`parse_any`] makes a frame too.
    Fragment,
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

/// Finds and checks the headers of a whole TCP or UDP packet.
#[inline(always)]
pub fn parse<P: Packet>(packet: &P, features: Features) -> Result<Frame, Reject> {
    match link(packet, features) {
        Link::Ipv4(offset) => ipv4::<false, P>(packet, offset),
        Link::Ipv6(offset) => ipv6::<false, P>(packet, offset),
        Link::Foreign => Err(Reject::Foreign),
    }
}

/// Finds and checks the headers of a packet, be it a fragment or ICMP.
#[inline(always)]
pub fn parse_any<P: Packet>(packet: &P, features: Features) -> Result<Frame, Reject> {
    match link(packet, features) {
        Link::Ipv4(offset) => ipv4::<true, P>(packet, offset),
        Link::Ipv6(offset) => ipv6::<true, P>(packet, offset),
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

/// Where an IP packet comes from and where it was sent, however malformed the rest of it is.
#[inline(always)]
pub(crate) fn addresses<P: Packet>(packet: &P, link: Link) -> Result<(Address, Address), OutOfBounds> {
    match link {
        Link::Ipv4(offset) => {
            let header = ipv4::Header::load(packet, offset)?;
            Ok((Address::v4(header.source()), Address::v4(header.destination())))
        }
        Link::Ipv6(offset) => {
            let header = ipv6::Header::load(packet, offset)?;
            Ok((header.source(), header.destination()))
        }
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
        offset = packet.forget(black_box(offset));
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
    part: Part,
    identification: u32,
    dont_fragment: bool,
}

/// `SLOW` says whether fragments and ICMP are taken too, as the slow path does.
#[inline(always)]
pub(crate) fn ipv4<const SLOW: bool, P: Packet>(packet: &P, offset: usize) -> Result<Frame, Reject> {
    let header = ipv4::Header::load(packet, offset)?;
    let header_length = header.header_length();
    let length = header.total_length();
    if header.version() != 4 || header_length < ipv4::LENGTH {
        return Err(Reason::IpHeader.into());
    }
    if (length as usize) < header_length || !packet.has(offset + length as usize) {
        return Err(Reason::IpLength.into());
    }
    match header.protocol() {
        TCP | UDP => {}
        ICMP if SLOW => {}
        ICMP => return Err(Reject::Icmp),
        _ => return Err(Reject::Foreign),
    }
    let part = match (header.is_fragment(), header.fragment_offset()) {
        (false, _) => Part::Whole,
        _ if !SLOW => return Err(Reject::Fragment),
        (true, 0) => Part::First,
        (true, _) => Part::Later,
    };
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
        part,
        identification: u32::from(header.identification()),
        dont_fragment: header.dont_fragment(),
    };
    transport::<SLOW, P>(packet, &internet)
}

/// `SLOW` says whether fragments and ICMP are taken too, as the slow path does.
#[inline(always)]
pub(crate) fn ipv6<const SLOW: bool, P: Packet>(packet: &P, offset: usize) -> Result<Frame, Reject> {
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
    if !packet.has(offset + length) {
        return Err(Reason::IpLength.into());
    }
    let Extensions { protocol, skipped, part, identification } =
        extensions::<SLOW, P>(packet, offset + ipv6::LENGTH, header.next_header())?;
    // The verifier would walk what follows once for each row of headers that comes to a length.
    let skipped = if SLOW { packet.forget(skipped) } else { skipped };
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
        part,
        identification,
        dont_fragment: true,
    };
    transport::<SLOW, P>(packet, &internet)
}

/// What the extension headers of a packet say.
pub(crate) struct Extensions {
    /// The transport protocol.
    pub(crate) protocol: u8,
    /// Bytes before its header.
    pub(crate) skipped: usize,
    pub(crate) part: Part,
    identification: u32,
}

/// Walks extension headers from `offset` on.
#[inline(always)]
pub(crate) fn extensions<const SLOW: bool, P: Packet>(
    packet: &P,
    offset: usize,
    first: u8,
) -> Result<Extensions, Reject> {
    let cut_short = |OutOfBounds| Reject::Malformed(Reason::ExtensionHeader);
    let mut next = first;
    let (mut skipped, mut part, mut identification) = (0, Part::Whole, 0);
    for _ in 0..=MAX_EXTENSION_HEADERS {
        match next {
            TCP | UDP => return Ok(Extensions { protocol: next, skipped, part, identification }),
            ICMPV6 if SLOW => return Ok(Extensions { protocol: next, skipped, part, identification }),
            ICMPV6 => return Err(Reject::Icmp),
            ipv6::HOP_BY_HOP | ipv6::DESTINATION_OPTIONS => {}
            ipv6::ROUTING => {
                if ipv6::segments_left(packet, offset + skipped).map_err(cut_short)? != 0 {
                    return Err(Reason::ExtensionHeader.into());
                }
            }
            ipv6::FRAGMENT if !SLOW => return Err(Reject::Fragment),
            ipv6::FRAGMENT => {
                let header = ipv6::Fragment::load(packet, offset + skipped).map_err(cut_short)?;
                next = header.next_header();
                skipped += ipv6::Fragment::LENGTH;
                identification = header.identification();
                if header.offset() != 0 {
                    // What comes next is in the middle of the datagram, not a header.
                    let protocol = next;
                    return match protocol {
                        TCP | UDP | ICMPV6 => {
                            Ok(Extensions { protocol, skipped, part: Part::Later, identification })
                        }
                        ipv6::HOP_BY_HOP | ipv6::ROUTING | ipv6::FRAGMENT | ipv6::DESTINATION_OPTIONS => {
                            Err(Reason::ExtensionHeader.into())
                        }
                        _ => Err(Reject::Foreign),
                    };
                }
                if !header.is_atomic() {
                    part = Part::First;
                }
                continue;
            }
            _ => return Err(Reject::Foreign),
        }
        let (following, length) = ipv6::extension(packet, offset + skipped).map_err(cut_short)?;
        next = following;
        skipped += length;
    }
    Err(Reason::ExtensionHeader.into())
}

#[inline(always)]
fn transport<const SLOW: bool, P: Packet>(packet: &P, internet: &Internet) -> Result<Frame, Reject> {
    let cut_short = |OutOfBounds| Reject::Malformed(Reason::TransportHeader);
    if internet.part == Part::Later {
        return Ok(frame(internet, &Transport::default()));
    }
    let ports;
    let (mut needed, syn, flags, sequence, checksum) = if internet.protocol == TCP {
        let header = tcp::Header::load(packet, internet.payload).map_err(cut_short)?;
        if header.header_length() < tcp::LENGTH {
            return Err(Reason::TransportHeader.into());
        }
        ports = (header.source_port(), header.destination_port());
        (header.header_length(), header.opens(), header.flags(), header.sequence(), header.checksum())
    } else if SLOW && internet.protocol != UDP {
        let header = icmp::Header::load(packet, internet.payload).map_err(cut_short)?;
        ports = (0, 0);
        (icmp::LENGTH, false, 0, 0, header.checksum())
    } else {
        let header = udp::Header::load(packet, internet.payload).map_err(cut_short)?;
        let length = header.length() as usize;
        if length < udp::LENGTH || (!internet.v4 && header.checksum() == 0) {
            return Err(Reason::TransportHeader.into());
        }
        ports = (header.source_port(), header.destination_port());
        (length, false, 0, 0, header.checksum())
    };
    if internet.part == Part::First && internet.protocol == UDP {
        // The rest of it is in other fragments.
        needed = udp::LENGTH;
    }
    if needed > internet.payload_length {
        return Err(Reason::TransportHeader.into());
    }
    let transport =
        Transport { source_port: ports.0, destination_port: ports.1, syn, flags, sequence, checksum };
    Ok(frame(internet, &transport))
}

/// What the transport header says.
#[derive(Default)]
struct Transport {
    source_port: u16,
    destination_port: u16,
    syn: bool,
    flags: u8,
    sequence: u32,
    checksum: u16,
}

#[inline(always)]
fn frame(internet: &Internet, transport: &Transport) -> Frame {
    Frame {
        network: internet.offset,
        transport: internet.payload,
        v4: internet.v4,
        source: internet.source,
        destination: internet.destination,
        source_port: transport.source_port,
        destination_port: transport.destination_port,
        protocol: internet.protocol,
        syn: transport.syn,
        flags: transport.flags,
        sequence: transport.sequence,
        part: internet.part,
        identification: internet.identification,
        dont_fragment: internet.dont_fragment,
        ttl: internet.ttl,
        tos: internet.tos,
        length: internet.length,
        network_checksum: internet.checksum,
        transport_checksum: transport.checksum,
    }
}
