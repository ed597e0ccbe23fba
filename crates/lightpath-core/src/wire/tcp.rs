//! TCP (RFC 9293).

use crate::{OutOfBounds, Packet};

/// Length of the header without options.
pub const LENGTH: usize = 20;
/// Offset of the checksum.
pub const CHECKSUM: usize = 16;

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// The fixed part of a header.
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

    /// Sequence number.
    #[inline(always)]
    #[must_use]
    pub const fn sequence(&self) -> u32 {
        u32::from_be_bytes([self.0[4], self.0[5], self.0[6], self.0[7]])
    }

    /// Whether this segment opens a connection: SYN without ACK.
    #[inline(always)]
    #[must_use]
    pub const fn opens(&self) -> bool {
        self.0[13] & (SYN | ACK) == SYN
    }

    /// Length of the header with options, in bytes, as the data offset field says.
    #[inline(always)]
    #[must_use]
    pub const fn header_length(&self) -> usize {
        (self.0[12] as usize >> 4) << 2
    }

    /// Checksum.
    #[inline(always)]
    #[must_use]
    pub const fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.0[16], self.0[17]])
    }
}
