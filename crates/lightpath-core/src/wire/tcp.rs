//! TCP (RFC 9293).

use zerocopy::transmute;

use crate::{Delta, OutOfBounds, Packet};

/// Length of the header without options.
pub const LENGTH: usize = 20;
/// Offset of the checksum.
pub const CHECKSUM: usize = 16;

/// Flag: no more data from the sender.
pub const FIN: u8 = 0x01;
/// Flag: the sequence number is the first.
pub const SYN: u8 = 0x02;
/// Flag: the connection is no more.
pub const RST: u8 = 0x04;
/// Flag: the acknowledgement number counts.
pub const ACK: u8 = 0x10;

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

    /// Acknowledgement number, if this segment [has one](Self::acknowledges).
    #[inline(always)]
    #[must_use]
    pub const fn acknowledgement(&self) -> u32 {
        u32::from_be_bytes([self.0[8], self.0[9], self.0[10], self.0[11]])
    }

    /// Whether this segment acknowledges anything.
    #[inline(always)]
    #[must_use]
    pub const fn acknowledges(&self) -> bool {
        self.flags() & ACK != 0
    }

    /// Whether this segment resets its connection.
    #[inline(always)]
    #[must_use]
    pub const fn resets(&self) -> bool {
        self.flags() & RST != 0
    }

    /// Sequence numbers that SYN and FIN take up (section 3.4).
    #[inline(always)]
    #[must_use]
    pub const fn control_length(&self) -> u32 {
        (self.flags() & SYN != 0) as u32 + (self.flags() & FIN != 0) as u32
    }

    /// Flags.
    #[inline(always)]
    #[must_use]
    pub const fn flags(&self) -> u8 {
        self.0[13]
    }

    /// Whether this segment opens a connection: SYN without ACK, and without what would end it at once.
    #[inline(always)]
    #[must_use]
    pub const fn opens(&self) -> bool {
        self.flags() & (SYN | ACK | RST | FIN) == SYN
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

/// Words in a header without options, as the data offset field has it.
const WORDS: u32 = 5;

/// A reset of this node's own making (section 3.10.7.1), without options and with a window of 0.
#[derive(Clone, Copy, Debug)]
pub struct Reset {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number, if there is one.
    pub acknowledgement: Option<u32>,
}

impl Reset {
    /// The header in words, with this checksum.
    #[inline(always)]
    const fn words(&self, checksum: u16) -> [u32; LENGTH / 4] {
        let (acknowledgement, flags) = match self.acknowledgement {
            Some(number) => (number, RST | ACK),
            None => (0, RST),
        };
        [
            (self.source_port as u32) << 16 | self.destination_port as u32,
            self.sequence,
            acknowledgement,
            WORDS << 28 | (flags as u32) << 16,
            (checksum as u32) << 16,
        ]
    }

    /// Stores the header at `offset`, with its checksum, which continues from that of the pseudo-header.
    #[inline(always)]
    pub fn store<P: Packet>(self, packet: &mut P, offset: usize, pseudo: Delta) -> Result<(), OutOfBounds> {
        let [a, b, c, d, _] = self.words(0);
        let checksum = pseudo.add32(a).add32(b).add32(c).add32(d).checksum();
        packet.store::<LENGTH>(offset, transmute!(self.words(checksum).map(u32::to_be)))
    }
}
