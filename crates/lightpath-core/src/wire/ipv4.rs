//! IPv4 (RFC 791).

use zerocopy::transmute;

use crate::{OutOfBounds, Packet};

/// Length of the header without options.
pub const LENGTH: usize = 20;
/// Offset of TTL, protocol, checksum and both addresses: the twelve bytes that forwarding rewrites.
const REWRITTEN: usize = 8;

/// The fixed part of a header.
#[derive(Clone, Copy, Debug)]
pub struct Header([u8; LENGTH]);

impl Header {
    /// Loads the header at `offset`.
    #[inline(always)]
    pub fn load<P: Packet>(packet: &P, offset: usize) -> Result<Self, OutOfBounds> {
        packet.load(offset).map(Self)
    }

    /// Version field: 4.
    #[inline(always)]
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.0[0] >> 4
    }

    /// Length of the header with options, in bytes, as the IHL field says.
    #[inline(always)]
    #[must_use]
    pub const fn header_length(&self) -> usize {
        ((self.0[0] & 0x0f) as usize) << 2
    }

    /// Type of service (DSCP and ECN).
    #[inline(always)]
    #[must_use]
    pub const fn tos(&self) -> u8 {
        self.0[1]
    }

    /// Length of header and payload.
    #[inline(always)]
    #[must_use]
    pub const fn total_length(&self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }

    /// Whether this is a part of a larger datagram: more fragments follow, or the offset is not 0.
    #[inline(always)]
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        u16::from_be_bytes([self.0[6], self.0[7]]) & 0x3fff != 0
    }

    /// Time to live.
    #[inline(always)]
    #[must_use]
    pub const fn ttl(&self) -> u8 {
        self.0[8]
    }

    /// Protocol of the payload.
    #[inline(always)]
    #[must_use]
    pub const fn protocol(&self) -> u8 {
        self.0[9]
    }

    /// Header checksum.
    #[inline(always)]
    #[must_use]
    pub const fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.0[10], self.0[11]])
    }

    /// Source address.
    #[inline(always)]
    #[must_use]
    pub const fn source(&self) -> u32 {
        u32::from_be_bytes([self.0[12], self.0[13], self.0[14], self.0[15]])
    }

    /// Destination address.
    #[inline(always)]
    #[must_use]
    pub const fn destination(&self) -> u32 {
        u32::from_be_bytes([self.0[16], self.0[17], self.0[18], self.0[19]])
    }
}

/// The fields that forwarding rewrites.
#[derive(Clone, Copy, Debug)]
pub struct Rewritten {
    /// Time to live.
    pub ttl: u8,
    /// Protocol of the payload, unchanged.
    pub protocol: u8,
    /// Header checksum.
    pub checksum: u16,
    /// Source address.
    pub source: u32,
    /// Destination address.
    pub destination: u32,
}

impl Rewritten {
    /// Stores them into the header at `offset`.
    #[inline(always)]
    pub fn store<P: Packet>(self, packet: &mut P, offset: usize) -> Result<(), OutOfBounds> {
        let first = u32::from(self.ttl) << 24 | u32::from(self.protocol) << 16 | u32::from(self.checksum);
        let words = [first.to_be(), self.source.to_be(), self.destination.to_be()];
        packet.store::<12>(offset + REWRITTEN, transmute!(words))
    }
}
