//! IPv6 (RFC 8200).

use lightpath_abi::Address;
use zerocopy::transmute;

use crate::{Delta, OutOfBounds, Packet};

/// Length of the fixed header.
pub const LENGTH: usize = 40;
/// Hop limit of packets of this node's own making (RFC 1700, IP option numbers).
pub const DEFAULT_HOP_LIMIT: u8 = 64;
/// Bytes that every link takes (section 5).
pub const MINIMUM_MTU: u16 = 1280;
const HOP_LIMIT: usize = 7;
const SOURCE: usize = 8;
const DESTINATION: usize = 24;

/// Next header: hop-by-hop options.
pub const HOP_BY_HOP: u8 = 0;
/// Next header: routing.
pub const ROUTING: u8 = 43;
/// Next header: fragment.
pub const FRAGMENT: u8 = 44;
/// Next header: destination options.
pub const DESTINATION_OPTIONS: u8 = 60;

/// The fixed header, in words as they come.
#[derive(Clone, Copy, Debug)]
pub struct Header([u64; LENGTH / 8]);

#[expect(clippy::cast_possible_truncation, reason = "fields are the low bits of a shifted word")]
impl Header {
    /// Loads the header at `offset`.
    #[inline(always)]
    pub fn load<P: Packet>(packet: &P, offset: usize) -> Result<Self, OutOfBounds> {
        let bytes: [u8; LENGTH] = packet.load(offset)?;
        Ok(Self(transmute!(bytes)))
    }

    #[inline(always)]
    const fn word(&self, index: usize) -> u64 {
        u64::from_be(self.0[index])
    }

    /// Version field: 6.
    #[inline(always)]
    #[must_use]
    pub const fn version(&self) -> u8 {
        (self.word(0) >> 60) as u8
    }

    /// Traffic class (DSCP and ECN).
    #[inline(always)]
    #[must_use]
    pub const fn traffic_class(&self) -> u8 {
        (self.word(0) >> 52) as u8
    }

    /// Length of everything after this header.
    #[inline(always)]
    #[must_use]
    pub const fn payload_length(&self) -> u16 {
        (self.word(0) >> 16) as u16
    }

    /// What follows this header.
    #[inline(always)]
    #[must_use]
    pub const fn next_header(&self) -> u8 {
        (self.word(0) >> 8) as u8
    }

    /// What goes out of a sum that this header was in, when it goes.
    #[inline(always)]
    #[must_use]
    pub const fn removed(&self) -> Delta {
        let delta = Delta::new().replace64(self.word(0), 0).replace64(self.word(1), 0);
        delta.replace64(self.word(2), 0).replace64(self.word(3), 0).replace64(self.word(4), 0)
    }

    /// Hop limit.
    #[inline(always)]
    #[must_use]
    pub const fn hop_limit(&self) -> u8 {
        self.word(0) as u8
    }

    /// Source address.
    #[inline(always)]
    #[must_use]
    pub const fn source(&self) -> Address {
        Address { high: self.word(1), low: self.word(2) }
    }

    /// Destination address.
    #[inline(always)]
    #[must_use]
    pub const fn destination(&self) -> Address {
        Address { high: self.word(3), low: self.word(4) }
    }
}

/// An extension header that carries its length: next header, and its own length in bytes (RFC 8200, 4.3 to 4.6).
#[inline(always)]
pub fn extension<P: Packet>(packet: &P, offset: usize) -> Result<(u8, usize), OutOfBounds> {
    let [next, length] = packet.load(offset)?;
    Ok((next, (length as usize + 1) << 3))
}

/// A fragment header (RFC 8200, 4.5), which is always eight bytes long.
#[derive(Clone, Copy, Debug)]
pub struct Fragment(u64);

#[expect(clippy::cast_possible_truncation, reason = "fields are the low bits of a shifted word")]
impl Fragment {
    /// Length of the header.
    pub const LENGTH: usize = 8;

    /// Loads the header at `offset`.
    #[inline(always)]
    pub fn load<P: Packet>(packet: &P, offset: usize) -> Result<Self, OutOfBounds> {
        packet.load(offset).map(|bytes| Self(u64::from_be_bytes(bytes)))
    }

    /// What follows this header in the first fragment.
    #[inline(always)]
    #[must_use]
    pub const fn next_header(self) -> u8 {
        (self.0 >> 56) as u8
    }

    /// Where this part of a datagram begins, in units of eight bytes; 0 is the first part, or all of it.
    #[inline(always)]
    #[must_use]
    pub const fn offset(self) -> u16 {
        (self.0 >> 35) as u16 & 0x1fff
    }

    /// Whether this is all of the datagram (RFC 6946).
    #[inline(always)]
    #[must_use]
    pub const fn is_atomic(self) -> bool {
        self.0 >> 32 & 0xfff9 == 0
    }

    /// Identification, the same in all parts of a datagram.
    #[inline(always)]
    #[must_use]
    pub const fn identification(self) -> u32 {
        self.0 as u32
    }
}

/// Segments left in the routing header at `offset`; while there are some, the destination is not the last.
#[inline(always)]
pub fn segments_left<P: Packet>(packet: &P, offset: usize) -> Result<u8, OutOfBounds> {
    let [_, _, _, segments_left] = packet.load(offset)?;
    Ok(segments_left)
}

/// Stores the ECN field of the header at `offset`, the last two bits of its traffic class.
#[inline(always)]
pub fn store_ecn<P: Packet>(packet: &mut P, offset: usize, ecn: u8) -> Result<(), OutOfBounds> {
    let old = u16::from_be_bytes(packet.load(offset)?);
    let new = old & !0x30 | u16::from(ecn) << 4;
    packet.store(offset, new.to_be_bytes())
}

/// Stores the hop limit of the header at `offset`.
#[inline(always)]
pub fn store_hop_limit<P: Packet>(packet: &mut P, offset: usize, hop_limit: u8) -> Result<(), OutOfBounds> {
    packet.store(offset + HOP_LIMIT, [hop_limit])
}

/// Stores the source address of the header at `offset`.
#[inline(always)]
pub fn store_source<P: Packet>(packet: &mut P, offset: usize, address: Address) -> Result<(), OutOfBounds> {
    packet.store(offset + SOURCE, address.octets())
}

/// Stores the destination address of the header at `offset`.
#[inline(always)]
pub fn store_destination<P: Packet>(
    packet: &mut P,
    offset: usize,
    address: Address,
) -> Result<(), OutOfBounds> {
    packet.store(offset + DESTINATION, address.octets())
}

/// A header of this node's own making.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// Traffic class (DSCP and ECN).
    pub traffic_class: u8,
    /// Flow label, 20 bits.
    pub flow_label: u32,
    /// Length of everything after this header.
    pub payload_length: u16,
    /// What follows this header.
    pub next_header: u8,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
}

impl Fresh {
    /// Stores the header at `offset`.
    #[inline(always)]
    pub fn store<P: Packet>(self, packet: &mut P, offset: usize) -> Result<(), OutOfBounds> {
        self.store_with(packet, offset, DEFAULT_HOP_LIMIT)
    }

    /// Stores the header with another hop limit.
    #[inline(always)]
    pub(crate) fn store_with<P: Packet>(
        self,
        packet: &mut P,
        offset: usize,
        hop_limit: u8,
    ) -> Result<(), OutOfBounds> {
        let (source, destination) = (self.source, self.destination);
        let words = [
            self.first(hop_limit).to_be(),
            source.high.to_be(),
            source.low.to_be(),
            destination.high.to_be(),
            destination.low.to_be(),
        ];
        packet.store::<LENGTH>(offset, transmute!(words))
    }

    /// The first word, all but the addresses.
    #[inline(always)]
    const fn first(&self, hop_limit: u8) -> u64 {
        6 << 60
            | (self.traffic_class as u64) << 52
            | (self.flow_label as u64 & 0xf_ffff) << 32
            | (self.payload_length as u64) << 16
            | (self.next_header as u64) << 8
            | hop_limit as u64
    }

    /// What comes into a sum with this header.
    #[inline(always)]
    pub(crate) const fn added(&self, hop_limit: u8) -> Delta {
        let delta = Delta::new().add64(self.first(hop_limit));
        delta.add_address(self.source).add_address(self.destination)
    }
}
