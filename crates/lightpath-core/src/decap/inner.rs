//! The packet in a tunnel: an IP header that can be believed as far as the tunnel reaches. The rest of it is for the kernel to check,
//! as in any packet.

use lightpath_abi::Address;

use super::Refusal;
use super::outer::Carried;
use crate::wire::{ipv4, ipv6};
use crate::{OutOfBounds, Packet};

/// A packet that can be taken out of its tunnel.
pub(super) struct Inner {
    /// Whether it is IPv4, or else IPv6.
    pub(super) v4: bool,
    /// Offset of its IP header.
    pub(super) offset: usize,
    pub(super) destination: Address,
    /// Its ECN field.
    pub(super) ecn: u8,
}

impl Inner {
    #[inline(always)]
    pub(super) fn check<P: Packet>(packet: &P, carried: &Carried) -> Result<Self, Refusal> {
        let (inner, version, header_length, length) = if carried.v4 {
            let header = ipv4::Header::load(packet, carried.offset).map_err(cut_short)?;
            let destination = Address::v4(header.destination());
            let inner = Self { v4: true, offset: carried.offset, destination, ecn: header.tos() & 3 };
            (inner, header.version() == 4, header.header_length(), header.total_length() as usize)
        } else {
            let header = ipv6::Header::load(packet, carried.offset).map_err(cut_short)?;
            let destination = header.destination();
            // An IPv4-mapped address would be taken for an IPv4 one of this host (RFC 4291, 2.5.5.2).
            let version = header.version() == 6 && !destination.is_v4();
            let inner =
                Self { v4: false, offset: carried.offset, destination, ecn: header.traffic_class() & 3 };
            (inner, version, ipv6::LENGTH, ipv6::LENGTH + header.payload_length() as usize)
        };
        if !version || header_length < ipv4::LENGTH {
            return Err(Refusal::InnerHeader);
        }
        if length < header_length || carried.offset + length > carried.end {
            return Err(Refusal::InnerLength);
        }
        Ok(inner)
    }
}

#[inline(always)]
fn cut_short(_: OutOfBounds) -> Refusal {
    Refusal::InnerLength
}
