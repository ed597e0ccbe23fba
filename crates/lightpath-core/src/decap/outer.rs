//! The outer headers: whether they are a tunnel's, from whom to whom, and where what it carries begins.

use lightpath_abi::{Address, Features};

use super::{Format, Refusal};
use crate::Packet;
use crate::parse::{self, Link};
use crate::wire::{IPIP, IPV6_IN_IP, UDP, gue, ipv4, ipv6, udp};

/// A packet that is a tunnel's by its protocol, or its UDP port.
pub(super) struct Tunnel {
    /// Offset of the outer IP header.
    pub(super) network: usize,
    pub(super) source: Address,
    pub(super) destination: Address,
    pub(super) format: Format,
    /// The outer ECN field.
    pub(super) ecn: u8,
    /// Offset behind the outer IP header.
    payload: usize,
    /// Offset behind the outer IP packet.
    end: usize,
    /// Whether IPIP announces IPv4.
    v4_in_ip: bool,
    /// What is wrong with the outer IP header, if anything is.
    fault: Option<Refusal>,
}

/// What a tunnel says it carries.
pub(super) struct Carried {
    /// Whether it is IPv4, or else IPv6.
    pub(super) v4: bool,
    /// Offset of its IP header.
    pub(super) offset: usize,
    /// Offset where the tunnel's packet ends, Ethernet's padding not counted.
    pub(super) end: usize,
}

/// The tunnel that a packet is in, if it is in one.
#[inline(always)]
pub(super) fn find<P: Packet>(packet: &P) -> Option<Tunnel> {
    match parse::link(packet, Features::ALL) {
        Link::Ipv4(offset) => in_ipv4(packet, offset),
        Link::Ipv6(offset) => in_ipv6(packet, offset),
        Link::Foreign => None,
    }
}

#[inline(always)]
fn in_ipv4<P: Packet>(packet: &P, network: usize) -> Option<Tunnel> {
    let header = ipv4::Header::load(packet, network).ok()?;
    let payload = network + header.header_length();
    let format = match header.protocol() {
        IPIP | IPV6_IN_IP => Format::Ipip,
        // A later fragment has no port that would tell; without the first, which is refused, the kernel makes nothing of it.
        UDP if header.fragment_offset() == 0 && is_gue(packet, payload) => Format::Gue,
        _ => return None,
    };
    let end = network + header.total_length() as usize;
    let fault = if header.version() != 4
        || header.header_length() < ipv4::LENGTH
        || header.header_length() == ipv4::LENGTH && !header.is_intact()
    {
        Some(Refusal::OuterHeader)
    } else if header.header_length() > ipv4::LENGTH {
        Some(Refusal::OuterOptions)
    } else if header.is_fragment() {
        Some(Refusal::OuterFragment)
    } else if end < payload || !packet.has(end) {
        Some(Refusal::OuterLength)
    } else {
        None
    };
    Some(Tunnel {
        network,
        source: Address::v4(header.source()),
        destination: Address::v4(header.destination()),
        format,
        ecn: header.tos() & 3,
        payload: network + ipv4::LENGTH,
        end,
        v4_in_ip: header.protocol() == IPIP,
        fault,
    })
}

#[inline(always)]
fn in_ipv6<P: Packet>(packet: &P, network: usize) -> Option<Tunnel> {
    let header = ipv6::Header::load(packet, network).ok()?;
    if header.source().is_v4() || header.destination().is_v4() {
        // IPv4-mapped addresses do not travel (RFC 4291, 2.5.5.2), and here they would be taken for listed IPv4 ones.
        return None;
    }
    let payload = network + ipv6::LENGTH;
    let mut protocol = header.next_header();
    let mut fault = None;
    if let ipv6::HOP_BY_HOP | ipv6::ROUTING | ipv6::FRAGMENT | ipv6::DESTINATION_OPTIONS = protocol {
        let fragment = protocol == ipv6::FRAGMENT;
        fault = Some(if fragment { Refusal::OuterFragment } else { Refusal::OuterOptions });
        (protocol, _) = ipv6::extension(packet, payload).ok()?;
    }
    let format = match protocol {
        IPIP | IPV6_IN_IP => Format::Ipip,
        UDP if fault.is_none() && is_gue(packet, payload) => Format::Gue,
        _ => return None,
    };
    let end = payload + header.payload_length() as usize;
    if header.version() != 6 {
        fault = Some(Refusal::OuterHeader);
    } else if fault.is_none() && !packet.has(end) {
        fault = Some(Refusal::OuterLength);
    }
    Some(Tunnel {
        network,
        source: header.source(),
        destination: header.destination(),
        format,
        ecn: header.traffic_class() & 3,
        payload,
        end,
        v4_in_ip: protocol == IPIP,
        fault,
    })
}

#[inline(always)]
fn is_gue<P: Packet>(packet: &P, offset: usize) -> bool {
    udp::Header::load(packet, offset).is_ok_and(|header| header.destination_port() == udp::GUE)
}

impl Tunnel {
    /// Bytes of the whole packet from the Ethernet header on, of which `reached` can be reached; see
    /// [`Frame::bytes`](crate::Frame::bytes).
    #[inline(always)]
    pub(super) const fn bytes(&self, reached: usize) -> usize {
        if self.end > reached { self.end } else { reached }
    }

    /// Where what it carries begins and ends, if the outer headers are in order.
    ///
    /// A UDP checksum is not verified: 0 stands for none, in IPv6 too (RFC 6935, section 5), and any other covers every byte of a
    /// packet of which a program sees the first piece. What it would protect is protected otherwise: IPv4's header has a
    /// checksum of its own, and addresses that were damaged would have to become a listed one and this host's.
    #[inline(always)]
    pub(super) fn carried<P: Packet>(&self, packet: &P) -> Result<Carried, Refusal> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        match self.format {
            Format::Ipip => Ok(Carried { v4: self.v4_in_ip, offset: self.payload, end: self.end }),
            Format::Gue => self.in_gue(packet),
        }
    }

    #[inline(always)]
    fn in_gue<P: Packet>(&self, packet: &P) -> Result<Carried, Refusal> {
        let udp = udp::Header::load(packet, self.payload).map_err(|_| Refusal::OuterLength)?;
        let offset = self.payload + udp::LENGTH;
        let end = self.payload + udp.length() as usize;
        if end < offset || end > self.end {
            return Err(Refusal::OuterLength);
        }
        let header = gue::Header::load(packet, offset).map_err(|_| Refusal::InnerLength)?;
        match (header.variant(), header.payload_version()) {
            (1, 4) => Ok(Carried { v4: true, offset, end }),
            (1, 6) => Ok(Carried { v4: false, offset, end }),
            (0, _) if !header.is_control() && header.flags() == 0 => match header.protocol() {
                protocol @ (IPIP | IPV6_IN_IP) => {
                    Ok(Carried { v4: protocol == IPIP, offset: offset + header.header_length(), end })
                }
                _ => Err(Refusal::GueHeader),
            },
            _ => Err(Refusal::GueHeader),
        }
    }
}
