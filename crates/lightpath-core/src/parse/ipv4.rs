//! The header of IPv4 (RFC 791).

use lightpath_abi::Address;

use super::transport::{Internet, transport};
use super::{Frame, Part, Reject};
use crate::wire::{ICMP, TCP, UDP, ipv4};
use crate::{Packet, Reason};

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
