//! Packets as a test writes them down: what matters is said, the rest has sensible values.

use std::net::{IpAddr, SocketAddr};

use crate::build;

/// TCP flag: no more data.
pub const FIN: u8 = 1;
/// TCP flag: open a connection.
pub const SYN: u8 = 2;
/// TCP flag: reset.
pub const RST: u8 = 4;
/// TCP flag: push.
pub const PSH: u8 = 8;
/// TCP flag: acknowledgement.
pub const ACK: u8 = 16;

/// A TCP segment from `source` to `destination`, both "address:port", IPv6 addresses in brackets.
#[must_use]
pub fn tcp(source: &str, destination: &str) -> PacketBuilder {
    let (source, destination) = (socket_address(source), socket_address(destination));
    let transport = Transport::Tcp {
        flags: ACK,
        sequence: 1_000_000,
        acknowledgement: 0,
        window: 8192,
        options: Vec::new(),
    };
    PacketBuilder::new(source, destination, transport)
}

/// A UDP datagram, addressed like [`tcp`].
#[must_use]
pub fn udp(source: &str, destination: &str) -> PacketBuilder {
    let (source, destination) = (socket_address(source), socket_address(destination));
    PacketBuilder::new(source, destination, Transport::Udp { checksum: Checksum::Right })
}

/// A message of ICMP or ICMPv6, whichever the family has, between two addresses without ports: its type and code, and the four bytes
/// of its header whose meaning depends on them.
#[must_use]
pub fn icmp(kind: u8, code: u8, rest: u32, source: &str, destination: &str) -> PacketBuilder {
    let address = |text: &str| SocketAddr::new(ip_address(text), 0);
    PacketBuilder::new(address(source), address(destination), Transport::Icmp { kind, code, rest })
}

/// An echo request between two addresses.
#[must_use]
pub fn icmp_echo(source: &str, destination: &str) -> PacketBuilder {
    icmp(if ip_address(source).is_ipv4() { 8 } else { 128 }, 0, ECHO, source, destination)
}

/// The reply to [`icmp_echo`] the other way.
#[must_use]
pub fn icmp_echo_reply(source: &str, destination: &str) -> PacketBuilder {
    icmp(if ip_address(source).is_ipv4() { 0 } else { 129 }, 0, ECHO, source, destination)
}

/// Identifier and sequence number of an echo.
const ECHO: u32 = 0x0001_0001;

/// A packet of any other IP protocol between two addresses without ports; the payload follows the IP header at once.
#[must_use]
pub fn ip(protocol: u8, source: &str, destination: &str) -> PacketBuilder {
    let address = |text: &str| SocketAddr::new(ip_address(text), 0);
    PacketBuilder::new(address(source), address(destination), Transport::Other(protocol))
}

/// An ARP request of an IPv4 address for another (RFC 826), broadcast.
#[must_use]
pub fn arp(source: &str, target: &str) -> Vec<u8> {
    build::arp(ip_address(source), ip_address(target))
}

fn socket_address(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no address and port"))
}

fn ip_address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no address"))
}

/// A packet that is being described. [`build`](Self::build) makes bytes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketBuilder {
    pub(crate) macs: [[u8; 6]; 2],
    /// EtherType and VLAN of each tag, outermost first.
    pub(crate) tags: Vec<(u16, u16)>,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) ip_options: Vec<u8>,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) fragment: Option<Fragment>,
    pub(crate) dont_fragment: bool,
    pub(crate) outer: Option<Outer>,
    pub(crate) transport: Transport,
    pub(crate) payload: Vec<u8>,
    pub(crate) padding: usize,
    pub(crate) lies: Vec<Lie>,
    pub(crate) cut_to: usize,
}

/// Where a fragment belongs: offset in units of eight bytes, and whether more follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) identification: u16,
    pub(crate) offset: u16,
    pub(crate) more: bool,
}

/// The tunnel that a packet is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outer {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// The source port of GUE.
    pub(crate) port: Option<u16>,
    /// The flow label of IPv6.
    pub(crate) label: u32,
    /// Type of service or traffic class, if it is not the packet's.
    pub(crate) tos: Option<u8>,
    /// The checksum of UDP.
    pub(crate) checksum: u16,
    /// What is between the headers of UDP and the packet.
    pub(crate) gue_header: Vec<u8>,
}

impl Outer {
    fn new(source: &str, port: Option<u16>, destination: &str) -> Self {
        Self {
            source: ip_address(source),
            destination: ip_address(destination),
            port,
            label: 0,
            tos: None,
            checksum: 0,
            gue_header: Vec::new(),
        }
    }
}

/// What the IP packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp { flags: u8, sequence: u32, acknowledgement: u32, window: u16, options: Vec<u8> },
    Udp { checksum: Checksum },
    Icmp { kind: u8, code: u8, rest: u32 },
    Other(u8),
}

/// The checksum of a UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    Right,
    None,
}

/// An IPv6 extension header: its number and everything after its first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extension {
    pub(crate) number: u8,
    pub(crate) body: Vec<u8>,
}

/// A field that is given a value which is not true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    Version(u8),
    HeaderWords(u8),
    IpLength(u16),
    DataOffset(u8),
    UdpLength(u16),
}

impl PacketBuilder {
    fn new(source: SocketAddr, destination: SocketAddr, transport: Transport) -> Self {
        Self {
            macs: [[2, 0, 0, 0, 0, 0xfe], [2, 0, 0, 0, 0, 0xff]],
            tags: Vec::new(),
            source,
            destination,
            ttl: 64,
            tos: 0,
            ip_options: Vec::new(),
            extensions: Vec::new(),
            fragment: None,
            dont_fragment: true,
            outer: None,
            transport,
            payload: b"payload".to_vec(),
            padding: 0,
            lies: Vec::new(),
            cut_to: usize::MAX,
        }
    }

    /// Destination and source MAC address.
    #[must_use]
    pub fn macs(mut self, destination: [u8; 6], source: [u8; 6]) -> Self {
        self.macs = [destination, source];
        self
    }

    /// An 802.1Q tag inside those there are.
    #[must_use]
    pub fn vlan(mut self, id: u16) -> Self {
        self.tags.push((0x8100, id));
        self
    }

    /// An 802.1ad service tag and an 802.1Q tag within it.
    #[must_use]
    pub fn qinq(mut self, outer: u16, inner: u16) -> Self {
        self.tags.push((0x88a8, outer));
        self.vlan(inner)
    }

    /// Routers may fragment it. IPv6 has no such thing.
    #[must_use]
    pub fn may_be_fragmented(mut self) -> Self {
        self.dont_fragment = false;
        self
    }

    /// Carried from `source` to `destination` inside of IP.
    #[must_use]
    pub fn in_ip(mut self, source: &str, destination: &str) -> Self {
        self.outer = Some(Outer::new(source, None, destination));
        self
    }

    /// Carried from `source` to `destination` inside of GUE, from this port.
    #[must_use]
    pub fn in_gue(mut self, source: &str, port: u16, destination: &str) -> Self {
        self.outer = Some(Outer::new(source, Some(port), destination));
        self
    }

    /// The flow label of the outer header, if that is IPv6; 0 unless told.
    #[must_use]
    pub fn outer_label(mut self, label: u32) -> Self {
        if let Some(outer) = &mut self.outer {
            outer.label = label;
        }
        self
    }

    /// Type of service or traffic class of the outer header; the packet's own unless told.
    #[must_use]
    pub fn outer_tos(mut self, tos: u8) -> Self {
        if let Some(outer) = &mut self.outer {
            outer.tos = Some(tos);
        }
        self
    }

    /// The checksum of GUE's UDP header, be it right or wrong; 0, which is none, unless told.
    #[must_use]
    pub fn outer_checksum(mut self, checksum: u16) -> Self {
        if let Some(outer) = &mut self.outer {
            outer.checksum = checksum;
        }
        self
    }

    /// What is between GUE's UDP header and the packet: the header of variant 0; nothing, which is variant 1, unless told.
    #[must_use]
    pub fn gue_header(mut self, header: &[u8]) -> Self {
        if let Some(outer) = &mut self.outer {
            header.clone_into(&mut outer.gue_header);
        }
        self
    }

    /// TTL or hop limit; 64 unless told.
    #[must_use]
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// Type of service or traffic class.
    #[must_use]
    pub fn tos(mut self, tos: u8) -> Self {
        self.tos = tos;
        self
    }

    /// IPv4 options: up to 40 bytes, a multiple of four.
    #[must_use]
    pub fn ip_options(mut self, options: &[u8]) -> Self {
        options.clone_into(&mut self.ip_options);
        self
    }

    /// An IPv6 hop-by-hop header of `units` eight bytes, after the extension headers that are there already.
    #[must_use]
    pub fn hop_by_hop(self, units: u8) -> Self {
        self.options_header(0, units)
    }

    /// An IPv6 destination options header of `units` eight bytes.
    #[must_use]
    pub fn destination_options(self, units: u8) -> Self {
        self.options_header(60, units)
    }

    /// An IPv6 routing header (type 2, one address) with so many segments left.
    #[must_use]
    pub fn routing(self, segments_left: u8) -> Self {
        let mut body = vec![2, 2, segments_left];
        body.resize(23, 0);
        self.extension(43, body)
    }

    /// Any IPv6 extension header: its number, and its bytes after the first, which says what follows.
    #[must_use]
    pub fn extension(mut self, number: u8, body: Vec<u8>) -> Self {
        self.extensions.push(Extension { number, body });
        self
    }

    /// One PadN option (RFC 8200, 4.2) that fills the header.
    fn options_header(self, number: u8, units: u8) -> Self {
        let padding = usize::from(units) * 8 - 4;
        let mut body = vec![units - 1, 1, u8::try_from(padding).expect("at most 32 units of padding")];
        body.resize(3 + padding, 0);
        self.extension(number, body)
    }

    /// A fragment: offset in units of eight bytes, and whether more follow. In IPv6 by a fragment header.
    #[must_use]
    pub fn fragment(self, offset: u16, more: bool) -> Self {
        self.fragment_of(0, offset, more)
    }

    /// A fragment of the datagram with this identification.
    #[must_use]
    pub fn fragment_of(mut self, identification: u16, offset: u16, more: bool) -> Self {
        if self.destination.is_ipv6() {
            let ([high, low], [a, b]) =
                ((offset << 3 | u16::from(more)).to_be_bytes(), identification.to_be_bytes());
            return self.extension(44, vec![0, high, low, 0, 0, a, b]);
        }
        self.fragment = Some(Fragment { identification, offset, more });
        self
    }

    /// What is in the packet instead of a transport header: a part of a datagram other than its first.
    #[must_use]
    pub fn without_transport(mut self) -> Self {
        let number = match self.transport {
            Transport::Tcp { .. } => 6,
            Transport::Udp { .. } => 17,
            Transport::Icmp { .. } if self.source.is_ipv4() => 1,
            Transport::Icmp { .. } => 58,
            Transport::Other(number) => number,
        };
        self.transport = Transport::Other(number);
        self
    }

    /// TCP flags instead of [`ACK`] alone.
    #[must_use]
    pub fn flags(mut self, new: u8) -> Self {
        if let Transport::Tcp { flags, .. } = &mut self.transport {
            *flags = new;
        }
        self
    }

    /// TCP sequence number; 1,000,000 unless told.
    #[must_use]
    pub fn sequence(mut self, new: u32) -> Self {
        if let Transport::Tcp { sequence, .. } = &mut self.transport {
            *sequence = new;
        }
        self
    }

    /// TCP acknowledgement number; 0 unless told.
    #[must_use]
    pub fn acknowledgement(mut self, new: u32) -> Self {
        if let Transport::Tcp { acknowledgement, .. } = &mut self.transport {
            *acknowledgement = new;
        }
        self
    }

    /// TCP window; 8192 unless told.
    #[must_use]
    pub fn window(mut self, new: u16) -> Self {
        if let Transport::Tcp { window, .. } = &mut self.transport {
            *window = new;
        }
        self
    }

    /// TCP options: up to 40 bytes, a multiple of four.
    #[must_use]
    pub fn tcp_options(mut self, new: &[u8]) -> Self {
        if let Transport::Tcp { options, .. } = &mut self.transport {
            new.clone_into(options);
        }
        self
    }

    /// UDP without a checksum.
    #[must_use]
    pub fn no_checksum(mut self) -> Self {
        self.transport = Transport::Udp { checksum: Checksum::None };
        self
    }

    /// What follows the headers is the start of another packet, from its IP header on, as many bytes as an ICMP error quotes of it.
    #[must_use]
    pub fn quoting(self, packet: &PacketBuilder, length: usize) -> Self {
        let bytes = Self { padding: 0, ..packet.clone() }.build();
        let start = 14 + 4 * packet.tags.len();
        let end = bytes.len().min(start + length);
        self.payload(&bytes[start..end])
    }

    /// What follows the headers.
    #[must_use]
    pub fn payload(mut self, payload: &[u8]) -> Self {
        payload.clone_into(&mut self.payload);
        self
    }

    /// Bytes behind the IP packet, as Ethernet adds to short frames.
    #[must_use]
    pub fn padding(mut self, bytes: usize) -> Self {
        self.padding = bytes;
        self
    }

    /// Another version than the IP header's own.
    #[must_use]
    pub fn claim_version(self, version: u8) -> Self {
        self.claim(Lie::Version(version))
    }

    /// Another IPv4 header length, in words of four bytes, than is there.
    #[must_use]
    pub fn claim_header_words(self, words: u8) -> Self {
        self.claim(Lie::HeaderWords(words))
    }

    /// Another IPv4 total length or IPv6 payload length than is there.
    #[must_use]
    pub fn claim_ip_length(self, length: u16) -> Self {
        self.claim(Lie::IpLength(length))
    }

    /// Another TCP data offset, in words of four bytes, than is there.
    #[must_use]
    pub fn claim_data_offset(self, words: u8) -> Self {
        self.claim(Lie::DataOffset(words))
    }

    /// Another UDP length than is there.
    #[must_use]
    pub fn claim_udp_length(self, length: u16) -> Self {
        self.claim(Lie::UdpLength(length))
    }

    /// Only the first so many bytes of the frame.
    #[must_use]
    pub fn cut_to(mut self, length: usize) -> Self {
        self.cut_to = length;
        self
    }

    fn claim(mut self, lie: Lie) -> Self {
        self.lies.push(lie);
        self
    }

    /// The bytes, from the Ethernet header on. Lengths and checksums are right where nothing else was asked for.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        build::build(self)
    }
}
