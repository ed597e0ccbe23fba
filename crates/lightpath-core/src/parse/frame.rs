//! What is known of a packet once it is read, or why it is not.

use lightpath_abi::Address;

use crate::wire::tcp;
use crate::{OutOfBounds, Reason};

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
    /// TCP: whether this packet opens a connection: SYN without ACK, RST or FIN.
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
    /// Connections that this packet [opens](Self::syn), 0 or 1. As a number it costs no branch, each of which has the verifier walk
    /// twice over what follows.
    #[inline(always)]
    #[must_use]
    pub const fn opened(&self) -> u64 {
        const { assert!(tcp::FIN == 1 && tcp::SYN == 2 && tcp::RST == 4 && tcp::ACK == 16) };
        let flags = self.flags as u64;
        flags >> 1 & !flags & !(flags >> 2) & !(flags >> 4) & 1
    }

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
    /// ICMP or ICMPv6, which [`parse_any`](super::parse_any) makes a frame of.
    Icmp,
    /// A part of a datagram, of which [`parse_any`](super::parse_any) makes a frame too.
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
