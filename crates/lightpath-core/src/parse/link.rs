//! Below IP: Ethernet and its tags.

use core::hint::black_box;

use lightpath_abi::{Address, Features};

use crate::wire::{ethernet, ipv4, ipv6};
use crate::{OutOfBounds, Packet};

/// What an Ethernet frame carries, and at which offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Ipv4(usize),
    Ipv6(usize),
    /// A protocol that is not balanced, or a family that is not configured.
    Foreign,
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
