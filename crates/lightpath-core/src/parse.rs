//! From bytes to a [`Frame`]: what every later step needs to know of a packet, and no decision.

mod frame;
mod ipv4;
mod ipv6;
mod link;
mod transport;

use lightpath_abi::Features;

use crate::Packet;

pub use frame::{Frame, Part, Reject};
pub(crate) use ipv4::ipv4;
pub(crate) use ipv6::{extensions, ipv6};
pub(crate) use link::{Link, addresses, link};

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
