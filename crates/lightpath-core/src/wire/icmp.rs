//! ICMP (RFC 792) and ICMPv6 (RFC 4443).

use crate::parse::Link;
use crate::wire::{ipv4, ipv6};
use crate::{OutOfBounds, Packet};

/// Length of the header, with the four bytes whose meaning depends on the type.
pub const LENGTH: usize = 8;

/// Whether a packet without extension headers is an ICMP or ICMPv6 error, which quotes the packet that it is about.
#[inline(always)]
pub(crate) fn is_error<P: Packet>(packet: &P, link: Link) -> bool {
    error_type(packet, link).unwrap_or(false)
}

#[inline(always)]
fn error_type<P: Packet>(packet: &P, link: Link) -> Result<bool, OutOfBounds> {
    match link {
        Link::Ipv4(offset) => {
            let header = ipv4::Header::load(packet, offset)?;
            let [kind, _code] = packet.load(offset + header.header_length())?;
            Ok(matches!(kind, 3 | 11 | 12))
        }
        Link::Ipv6(offset) => {
            let [kind, _code] = packet.load(offset + ipv6::LENGTH)?;
            Ok(kind < 128)
        }
        Link::Foreign => Ok(false),
    }
}
