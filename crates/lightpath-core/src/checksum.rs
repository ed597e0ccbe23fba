//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624, equation 3).

use lightpath_abi::Address;

/// How rewritten fields change a checksum: the ones' complement sum of what went out, inverted, and what came in.
///
/// Sums of 32-bit words are kept in 64 bits and folded at the end, which is equivalent (RFC 1071, section 2) and leaves
/// room for 2^32 words before a carry could be lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta(u64);

impl Delta {
    /// Nothing changes.
    #[inline(always)]
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// A 16-bit field becomes another. The field starts at an even offset.
    #[inline(always)]
    #[must_use]
    pub const fn replace16(self, old: u16, new: u16) -> Self {
        Self(self.0 + !old as u64 + new as u64)
    }

    /// A 32-bit field becomes another.
    #[inline(always)]
    #[must_use]
    pub const fn replace32(self, old: u32, new: u32) -> Self {
        Self(self.0 + !old as u64 + new as u64)
    }

    /// A 64-bit field becomes another.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken in turn")]
    pub const fn replace64(self, old: u64, new: u64) -> Self {
        self.replace32((old >> 32) as u32, (new >> 32) as u32).replace32(old as u32, new as u32)
    }

    /// A 32-bit field that was not there, or zero, comes in.
    #[inline(always)]
    #[must_use]
    pub const fn add32(self, new: u32) -> Self {
        Self(self.0 + new as u64)
    }

    /// A 64-bit field that was not there, or zero, comes in.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken in turn")]
    pub const fn add64(self, new: u64) -> Self {
        self.add32((new >> 32) as u32).add32(new as u32)
    }

    /// Both changes.
    #[inline(always)]
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// An address comes in.
    #[inline(always)]
    #[must_use]
    pub const fn add_address(self, new: Address) -> Self {
        // Of an IPv4 address these are its 32 bits, and bits that `fold` makes nothing of.
        self.add64(new.high).add64(new.low)
    }

    /// The checksum of all that came in, of a header or packet that had none before.
    #[inline(always)]
    #[must_use]
    pub const fn checksum(self) -> u16 {
        !fold(self.0)
    }

    /// The updated checksum. Correct if the old one was; an incorrect one stays incorrect, for the receiver to refuse.
    #[inline(always)]
    #[must_use]
    pub const fn apply(self, checksum: u16) -> u16 {
        !fold(self.0 + !checksum as u64)
    }
}

/// The checksum of `bytes`, continuing from `sum` (a pseudo-header's, or 0); odd lengths are padded with a zero.
#[must_use]
pub fn checksum(sum: u64, bytes: &[u8]) -> u16 {
    let (words, rest) = bytes.as_chunks();
    let sum = words.iter().fold(sum, |sum, word| sum + u64::from(u16::from_be_bytes(*word)));
    !fold(rest.first().map_or(sum, |last| sum + (u64::from(*last) << 8)))
}

/// Folds a sum of words into 16 bits: the rounds leave at most 33, 18, 17 and 16 of them.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the rounds leave 16 bits")]
const fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    sum as u16
}
