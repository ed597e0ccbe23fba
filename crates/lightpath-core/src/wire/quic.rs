//! QUIC's version-independent properties (RFC 8999), and the packet types of versions 1 and 2 (RFC 9000, RFC 9369).

use zerocopy::transmute;

use crate::{OutOfBounds, Packet};

/// Version 1.
const V1: u32 = 1;
/// Version 2.
const V2: u32 = 0x6b33_43cf;

/// The start of a packet: first byte and, in a long header, version, length of the connection ID and most of that ID; in a short
/// one nothing but the ID, whose length only its issuer knows.
#[derive(Clone, Copy, Debug)]
pub struct Header([u64; 3]);

#[expect(clippy::cast_possible_truncation, reason = "fields are the low bits of a shifted word")]
impl Header {
    /// Loads the start of a packet at `offset`. No packet with a connection ID of a server's is shorter: what is encrypted of it
    /// has at least 20 bytes (RFC 9001, 5.4.2).
    #[inline(always)]
    pub fn load<P: Packet>(packet: &P, offset: usize) -> Result<Self, OutOfBounds> {
        let bytes: [u8; 24] = packet.load(offset)?;
        Ok(Self(transmute!(bytes)))
    }

    #[inline(always)]
    const fn word(&self, index: usize) -> u64 {
        u64::from_be(self.0[index])
    }

    /// Whether the header is long: of a packet before the handshake is over.
    #[inline(always)]
    #[must_use]
    pub const fn is_long(&self) -> bool {
        self.word(0) >> 63 != 0
    }

    /// Long header: whether the client chose the connection ID itself, or may have: Initial and 0-RTT, and whatever an unknown
    /// version may send.
    #[inline(always)]
    #[must_use]
    pub const fn is_clients_choice(&self) -> bool {
        let kind = self.word(0) >> 60 & 3;
        match (self.word(0) >> 24) as u32 {
            V1 => kind != 2,
            V2 => kind != 3,
            _ => true,
        }
    }

    /// Long header: bytes of the destination connection ID.
    #[inline(always)]
    #[must_use]
    pub const fn connection_id_length(&self) -> u8 {
        (self.word(0) >> 16) as u8
    }

    /// The first 16 bytes from where the destination connection ID starts.
    #[inline(always)]
    #[must_use]
    pub const fn connection_id(&self) -> [u64; 2] {
        let [first, second, third] = [self.word(0), self.word(1), self.word(2)];
        if self.is_long() {
            [first << 48 | second >> 16, second << 48 | third >> 16]
        } else {
            [first << 8 | second >> 56, second << 8 | third >> 56]
        }
    }
}
