//! UDP (RFC 768).

use crate::{OutOfBounds, Packet};

/// Length of the header.
pub const LENGTH: usize = 8;
/// Offset of the checksum.
pub const CHECKSUM: usize = 6;
/// Port of GUE (IANA).
pub const GUE: u16 = 6080;

/// A header.
#[derive(Clone, Copy, Debug)]
pub struct Header([u8; LENGTH]);

impl Header {
    /// Loads the header at `offset`.
    #[inline(always)]
    pub fn load<P: Packet>(packet: &P, offset: usize) -> Result<Self, OutOfBounds> {
        packet.load(offset).map(Self)
    }

    /// Source port.
    #[inline(always)]
    #[must_use]
    pub const fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    /// Destination port.
    #[inline(always)]
    #[must_use]
    pub const fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }

    /// Length of header and payload.
    #[inline(always)]
    #[must_use]
    pub const fn length(&self) -> u16 {
        u16::from_be_bytes([self.0[4], self.0[5]])
    }

    /// Checksum; 0 is none, which only IPv4 allows (RFC 8200, 8.1).
    #[inline(always)]
    #[must_use]
    pub const fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.0[6], self.0[7]])
    }
}

/// A header of this node's own making.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Length of header and payload.
    pub length: u16,
    /// Checksum; 0 is none.
    pub checksum: u16,
}

impl Fresh {
    /// Stores the header at `offset`.
    #[inline(always)]
    pub fn store<P: Packet>(self, packet: &mut P, offset: usize) -> Result<(), OutOfBounds> {
        let word = u64::from(self.source_port) << 48
            | u64::from(self.destination_port) << 32
            | u64::from(self.length) << 16
            | u64::from(self.checksum);
        packet.store(offset, word.to_be_bytes())
    }
}
