//! Generic UDP encapsulation (draft-ietf-intarea-gue-09).

use crate::{OutOfBounds, Packet};

/// The fixed header of variant 0 (section 3.1). In variant 1 (section 4) there is none: the same bytes are the first of an IP
/// packet, whose version 4 or 6 reads as that variant.
#[derive(Clone, Copy, Debug)]
pub struct Header(u32);

#[expect(clippy::cast_possible_truncation, reason = "fields are the low bits of a shifted word")]
impl Header {
    /// Length of the fixed header.
    pub const LENGTH: usize = 4;

    /// Loads the header at `offset`, behind that of UDP.
    #[inline(always)]
    pub fn load<P: Packet>(packet: &P, offset: usize) -> Result<Self, OutOfBounds> {
        packet.load(offset).map(|bytes| Self(u32::from_be_bytes(bytes)))
    }

    /// Variant field: 0 or 1.
    #[inline(always)]
    #[must_use]
    pub const fn variant(self) -> u8 {
        (self.0 >> 30) as u8
    }

    /// Variant 1: the version of the IP packet.
    #[inline(always)]
    #[must_use]
    pub const fn payload_version(self) -> u8 {
        (self.0 >> 28) as u8
    }

    /// Variant 0: whether this is a control message, which carries no packet.
    #[inline(always)]
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.0 >> 29 & 1 != 0
    }

    /// Variant 0: length with optional fields and private data, in bytes, as the Hlen field says: 4 to 128.
    #[inline(always)]
    #[must_use]
    pub const fn header_length(self) -> usize {
        Self::LENGTH + ((self.0 >> 22 & 0x7c) as usize)
    }

    /// Variant 0: IP protocol number of what follows.
    #[inline(always)]
    #[must_use]
    pub const fn protocol(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// Variant 0: which optional fields there are.
    #[inline(always)]
    #[must_use]
    pub const fn flags(self) -> u16 {
        self.0 as u16
    }
}
