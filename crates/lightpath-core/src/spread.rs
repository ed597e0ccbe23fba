//! Which CPU takes a packet, where the network card does not spread packets over CPUs.
//!
//! It only looks as far as it must: what is certainly the kernel's is left where it is, and of the rest all packets of a flow, and
//! all fragments of a datagram, come to one CPU and stay in order.

use lightpath_abi::{Address, Features};

use crate::directory::{may_be_vip, may_reply};
use crate::parse::Link;
use crate::wire::icmp::may_be_error;
use crate::wire::{ICMP, TCP, UDP, ipv4, ipv6};
use crate::{Endpoints, FlowHash, Packet, Tables, parse};

/// The hash by which a packet is given to a CPU; none if the [packet path](crate::forward) has nothing to do with it, and the kernel
/// may have it as it is.
///
/// TCP and UDP are spread by the 5-tuple. Fragments, of which only the first has ports, are spread by their addresses, and so is
/// what is neither, or has its transport header behind others.
#[inline(always)]
pub fn spread<P: Packet, T: Tables>(packet: &P, tables: &T) -> Option<FlowHash> {
    let link = parse::link(packet, tables.parameters().features);
    match link {
        Link::Ipv4(offset) => {
            let header = ipv4::Header::load(packet, offset).ok()?;
            let (source, destination) = (Address::v4(header.source()), Address::v4(header.destination()));
            let parts = Parts {
                source,
                destination,
                protocol: if header.is_fragment() { 0 } else { header.protocol() },
                payload: offset + header.header_length(),
                may_be_icmp: header.protocol() == ICMP,
            };
            parts.hash(link, packet, tables)
        }
        Link::Ipv6(offset) => {
            let header = ipv6::Header::load(packet, offset).ok()?;
            let protocol = header.next_header();
            let parts = Parts {
                source: header.source(),
                destination: header.destination(),
                protocol,
                payload: offset + ipv6::LENGTH,
                may_be_icmp: protocol != TCP && protocol != UDP,
            };
            parts.hash(link, packet, tables)
        }
        Link::Foreign => None,
    }
}

/// What is looked at.
struct Parts {
    source: Address,
    destination: Address,
    /// That of what lies at `payload`.
    protocol: u8,
    payload: usize,
    may_be_icmp: bool,
}

impl Parts {
    #[inline(always)]
    fn hash<P: Packet, T: Tables>(&self, link: Link, packet: &P, tables: &T) -> Option<FlowHash> {
        if !self.may_be_ours(link, packet, tables) {
            return None;
        }
        let mut ends = Endpoints {
            source: self.source,
            destination: self.destination,
            source_port: 0,
            destination_port: 0,
        };
        let mut protocol = 0;
        if (self.protocol == TCP || self.protocol == UDP)
            && let Ok([source_high, source_low, high, low]) = packet.load(self.payload)
        {
            protocol = self.protocol;
            ends.source_port = u16::from_be_bytes([source_high, source_low]);
            ends.destination_port = u16::from_be_bytes([high, low]);
        }
        let is_v4 = matches!(link, Link::Ipv4(_));
        Some(FlowHash::of_tuple(tables.parameters().hash_key, is_v4, protocol, &ends))
    }

    /// Whether the packet path may do anything but pass it.
    #[inline(always)]
    fn may_be_ours<P: Packet, T: Tables>(&self, link: Link, packet: &P, tables: &T) -> bool {
        if may_be_vip(tables, self.destination) {
            return true;
        }
        // A reply of a backend, a connection made straight to one, or an error about a reply.
        tables.parameters().features.has(Features::NAT)
            && (may_reply(tables, self.source)
                || may_reply(tables, self.destination)
                || self.may_be_icmp && may_be_error(packet, link))
    }
}

impl FlowHash {
    /// One of so many CPUs. The bits are others than those that choose the slot, so that each CPU has flows of every backend.
    #[inline(always)]
    #[must_use]
    pub const fn cpu(self, count: u32) -> u32 {
        self.choose(count)
    }
}
