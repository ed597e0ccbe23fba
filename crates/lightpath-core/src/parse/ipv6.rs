//! The headers of IPv6 (RFC 8200).

use super::transport::{Internet, transport};
use super::{Frame, Part, Reject};
use crate::wire::{ICMPV6, TCP, UDP, ipv6};
use crate::{OutOfBounds, Packet, Reason};

/// IPv6 extension headers walked before the packet is given up. RFC 8200, 4.1 lists four that can precede a transport header
/// in a sensible packet.
const MAX_EXTENSION_HEADERS: usize = 6;

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
