//! IPv4 (RFC 791).

use zerocopy::transmute;

use crate::{Delta, OutOfBounds, Packet};

/// Length of the header without options.
pub const LENGTH: usize = 20;
/// TTL of packets of this node's own making (RFC 1700, IP option numbers).
pub const DEFAULT_TTL: u8 = 64;
/// The second word of a packet that is no fragment and must not become one.
const DONT_FRAGMENT: u32 = 0x4000;
/// Offset of TTL, protocol, checksum and both addresses: the twelve bytes that forwarding rewrites.
const REWRITTEN: usize = 8;
/// Offset of the checksum.
const CHECKSUM: usize = 10;
const SOURCE: usize = 12;

/// The fixed part of a header, in words as they come.
#[derive(Clone, Copy, Debug)]
pub struct Header([u32; LENGTH / 4]);

#[expect(clippy::cast_possible_truncation, reason = "fields are the low bits of a shifted word")]
impl Header {
    /// Loads the header at `offset`.
    #[inline(always)]
    pub fn load<P: Packet>(packet: &P, offset: usize) -> Result<Self, OutOfBounds> {
        let bytes: [u8; LENGTH] = packet.load(offset)?;
        Ok(Self(transmute!(bytes)))
    }

    #[inline(always)]
    const fn word(&self, index: usize) -> u32 {
        u32::from_be(self.0[index])
    }

    /// Version field: 4.
    #[inline(always)]
    #[must_use]
    pub const fn version(&self) -> u8 {
        (self.word(0) >> 28) as u8
    }

    /// Length of the header with options, in bytes, as the IHL field says.
    #[inline(always)]
    #[must_use]
    pub const fn header_length(&self) -> usize {
        (self.word(0) >> 22 & 0x3c) as usize
    }

    /// Type of service (DSCP and ECN).
    #[inline(always)]
    #[must_use]
    pub const fn tos(&self) -> u8 {
        (self.word(0) >> 16) as u8
    }

    /// Length of header and payload.
    #[inline(always)]
    #[must_use]
    pub const fn total_length(&self) -> u16 {
        self.word(0) as u16
    }

    /// Whether this is a part of a larger datagram: more fragments follow, or the offset is not 0.
    #[inline(always)]
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        self.word(1) & 0x3fff != 0
    }

    /// Where this part of a datagram begins, in units of eight bytes; 0 is the first part, or all of it.
    #[inline(always)]
    #[must_use]
    pub const fn fragment_offset(&self) -> u16 {
        self.word(1) as u16 & 0x1fff
    }

    /// Whether routers must not fragment it.
    #[inline(always)]
    #[must_use]
    pub const fn dont_fragment(&self) -> bool {
        self.word(1) & DONT_FRAGMENT != 0
    }

    /// Identification, the same in all parts of a datagram.
    #[inline(always)]
    #[must_use]
    pub const fn identification(&self) -> u16 {
        (self.word(1) >> 16) as u16
    }

    /// Time to live.
    #[inline(always)]
    #[must_use]
    pub const fn ttl(&self) -> u8 {
        (self.word(2) >> 24) as u8
    }

    /// Protocol of the payload.
    #[inline(always)]
    #[must_use]
    pub const fn protocol(&self) -> u8 {
        (self.word(2) >> 16) as u8
    }

    /// Header checksum.
    #[inline(always)]
    #[must_use]
    pub const fn checksum(&self) -> u16 {
        self.word(2) as u16
    }

    /// What goes out of a sum that the fixed part of this header was in, when it goes.
    #[inline(always)]
    #[must_use]
    pub const fn removed(&self) -> Delta {
        let delta = Delta::new().replace32(self.word(0), 0).replace32(self.word(1), 0);
        delta.replace32(self.word(2), 0).replace32(self.word(3), 0).replace32(self.word(4), 0)
    }

    /// Whether the checksum of a header without options is right.
    #[inline(always)]
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        let [first, second, third, source, destination] = self.0;
        // In either byte order the sum is the same number, in that order (RFC 1071, section 2); 0 is 0 in both.
        let sum = Delta::new().add32(first).add32(second).add32(third).add32(source).add32(destination);
        sum.checksum() == 0
    }

    /// Source address.
    #[inline(always)]
    #[must_use]
    pub const fn source(&self) -> u32 {
        self.word(3)
    }

    /// Destination address.
    #[inline(always)]
    #[must_use]
    pub const fn destination(&self) -> u32 {
        self.word(4)
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

/// Stores the ECN field of the header at `offset`, and what its checksum becomes.
#[inline(always)]
pub fn store_ecn<P: Packet>(packet: &mut P, offset: usize, ecn: u8) -> Result<(), OutOfBounds> {
    let old = u16::from_be_bytes(packet.load(offset)?);
    let new = old & !3 | u16::from(ecn);
    let checksum = u16::from_be_bytes(packet.load(offset + CHECKSUM)?);
    packet.store(offset, new.to_be_bytes())?;
    packet.store(offset + CHECKSUM, Delta::new().replace16(old, new).apply(checksum).to_be_bytes())
}

/// Stores addresses and header checksum of the header at `offset`.
#[inline(always)]
pub fn store_addresses<P: Packet>(
    packet: &mut P,
    offset: usize,
    checksum: u16,
    source: u32,
    destination: u32,
) -> Result<(), OutOfBounds> {
    packet.store(offset + CHECKSUM, checksum.to_be_bytes())?;
    let addresses = u64::from(source) << 32 | u64::from(destination);
    packet.store(offset + SOURCE, addresses.to_be_bytes())
}

/// A header of this node's own making: no options, no fragments, and none allowed on the way.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// Type of service (DSCP and ECN).
    pub tos: u8,
    /// Length of header and payload.
    pub length: u16,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Source address.
    pub source: u32,
    /// Destination address.
    pub destination: u32,
}

impl Fresh {
    /// Stores the header at `offset`, with its checksum. The identification is 0, which is as good as any in a packet that must
    /// not be fragmented (RFC 6864, 4.1).
    #[inline(always)]
    pub fn store<P: Packet>(self, packet: &mut P, offset: usize) -> Result<(), OutOfBounds> {
        self.store_with(packet, offset, DEFAULT_TTL)
    }

    /// Stores the header with another TTL.
    #[inline(always)]
    pub(crate) fn store_with<P: Packet>(
        self,
        packet: &mut P,
        offset: usize,
        ttl: u8,
    ) -> Result<(), OutOfBounds> {
        let first = 0x4500_0000 | u32::from(self.tos) << 16 | u32::from(self.length);
        let third = u32::from(ttl) << 24 | u32::from(self.protocol) << 16;
        let checksum = Delta::new()
            .add32(first)
            .add32(DONT_FRAGMENT)
            .add32(third)
            .add32(self.source)
            .add32(self.destination)
            .checksum();
        let words = [
            first.to_be(),
            DONT_FRAGMENT.to_be(),
            (third | u32::from(checksum)).to_be(),
            self.source.to_be(),
            self.destination.to_be(),
        ];
        packet.store::<LENGTH>(offset, transmute!(words))
    }
}
