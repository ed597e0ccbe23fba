//! ICMP (RFC 792) and ICMPv6 (RFC 4443).

use crate::parse::Link;
use crate::wire::{ipv4, ipv6};
use crate::{Delta, OutOfBounds, Packet};

/// Length of the header, with the four bytes whose meaning depends on the type.
pub const LENGTH: usize = 8;

/// Bytes that an IP header grows by from IPv4 to IPv6.
#[expect(clippy::cast_possible_truncation, reason = "headers are short")]
const GROWTH: u32 = (ipv6::LENGTH - ipv4::LENGTH) as u32;

/// What a message is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An error, which quotes the packet that it is about.
    Error,
    /// An echo request.
    EchoRequest,
    /// Anything else.
    Other,
}

impl Kind {
    /// The kind of a type. Errors that routers must not send any more, or that concern the route alone, count as other
    /// (RFC 6633 on source quench; RFC 792 on redirects).
    #[inline(always)]
    #[must_use]
    pub const fn of(v4: bool, kind: u8) -> Self {
        match (v4, kind) {
            (true, 3 | 11 | 12) | (false, 1..=4) => Self::Error,
            (true, ECHO_REQUEST) | (false, ECHO_REQUEST_V6) => Self::EchoRequest,
            _ => Self::Other,
        }
    }
}

const ECHO_REQUEST: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY: u8 = 0;
const ECHO_REPLY_V6: u8 = 129;

/// A header, in the order in which it comes.
#[derive(Clone, Copy, Debug)]
pub struct Header(u64);

#[expect(clippy::cast_possible_truncation, reason = "fields are the low bits of a shifted word")]
impl Header {
    /// Loads the header at `offset`.
    #[inline(always)]
    pub fn load<P: Packet>(packet: &P, offset: usize) -> Result<Self, OutOfBounds> {
        packet.load(offset).map(|bytes| Self(u64::from_be_bytes(bytes)))
    }

    /// Stores the header at `offset`.
    #[inline(always)]
    pub fn store<P: Packet>(self, packet: &mut P, offset: usize) -> Result<(), OutOfBounds> {
        packet.store(offset, self.0.to_be_bytes())
    }

    /// Port unreachable (RFC 792; RFC 4443, 3.1), with a checksum of 0.
    #[inline(always)]
    #[must_use]
    pub const fn port_unreachable(v4: bool) -> Self {
        if v4 { Self::new(3, 3, 0) } else { Self::new(1, 4, 0) }
    }

    /// Fragmentation needed (RFC 1191, section 4), or packet too big (RFC 4443, 3.2), with a checksum of 0: the sender is to send
    /// no more than `mtu` bytes at once. Every IPv6 link takes 1280, and a sender believes no less (RFC 8201, section 4).
    #[inline(always)]
    #[must_use]
    pub const fn too_big(v4: bool, mtu: u16) -> Self {
        match v4 {
            true => Self::new(3, 4, mtu as u32),
            false if mtu < ipv6::MINIMUM_MTU => Self::new(2, 0, ipv6::MINIMUM_MTU as u32),
            false => Self::new(2, 0, mtu as u32),
        }
    }

    /// An error as the other version of IP says it, with a checksum of 0; `None` where it says nothing of the kind (RFC 7915,
    /// sections 4.2 and 5.2).
    ///
    /// A pointer to what is wrong in a header is not translated: it would point into a header that its receiver never sent.
    #[inline(always)]
    #[must_use]
    pub const fn translated(self, v4: bool) -> Option<Self> {
        let [kind, code] = [self.kind(), (self.0 >> 48) as u8];
        let rest = self.0 as u32;
        Some(if v4 {
            match (kind, code) {
                (3, 4) => {
                    let mtu = (rest & 0xffff) + GROWTH;
                    let least = ipv6::MINIMUM_MTU as u32;
                    Self::new(2, 0, if mtu < least { least } else { mtu })
                }
                (3, 3) => Self::new(1, 4, 0),
                (3, 9 | 10 | 13 | 15) => Self::new(1, 1, 0),
                (3, 0 | 1 | 5..=8 | 11 | 12) => Self::new(1, 0, 0),
                // A next header that is not known; where it stands in an IPv6 header.
                (3, 2) => Self::new(4, 1, 6),
                (11, code) => Self::new(3, code, 0),
                _ => return None,
            }
        } else {
            match (kind, code) {
                (2, _) => {
                    let mtu = rest.saturating_sub(GROWTH);
                    Self::new(3, 4, if mtu > 0xffff { 0xffff } else { mtu })
                }
                (1, 0 | 2 | 3) => Self::new(3, 1, 0),
                (1, 1) => Self::new(3, 10, 0),
                (1, 4) => Self::new(3, 3, 0),
                (4, 1) => Self::new(3, 2, 0),
                (3, code) => Self::new(11, code, 0),
                _ => return None,
            }
        })
    }

    #[inline(always)]
    const fn new(kind: u8, code: u8, rest: u32) -> Self {
        Self((kind as u64) << 56 | (code as u64) << 48 | rest as u64)
    }

    /// The header of the reply to an echo request. Only the type changes, and with it the checksum.
    #[inline(always)]
    #[must_use]
    pub const fn echo_reply(self, v4: bool) -> Self {
        let kind = if v4 { ECHO_REPLY } else { ECHO_REPLY_V6 };
        let reply = Self(self.0 & 0x00ff_ffff_ffff_ffff | (kind as u64) << 56);
        let delta = Delta::new().replace16((self.0 >> 48) as u16, (reply.0 >> 48) as u16);
        reply.with_checksum(delta.apply(self.checksum()))
    }

    /// Type.
    #[inline(always)]
    #[must_use]
    pub const fn kind(self) -> u8 {
        (self.0 >> 56) as u8
    }

    /// Checksum, which covers the whole message.
    #[inline(always)]
    #[must_use]
    pub const fn checksum(self) -> u16 {
        (self.0 >> 32) as u16
    }

    /// The header with another checksum.
    #[inline(always)]
    #[must_use]
    pub const fn with_checksum(self, checksum: u16) -> Self {
        Self(self.0 & 0xffff_0000_ffff_ffff | (checksum as u64) << 32)
    }

    /// The header as a number, for its checksum.
    #[inline(always)]
    #[must_use]
    pub const fn word(self) -> u64 {
        self.0
    }
}

/// Whether a packet may be an error. False only when it is none: extension headers are not walked past.
#[inline(always)]
pub(crate) fn may_be_error<P: Packet>(packet: &P, link: Link) -> bool {
    match link {
        Link::Ipv4(offset) => {
            first_type(packet, offset).is_ok_and(|kind| Kind::of(true, kind) == Kind::Error)
        }
        Link::Ipv6(offset) => {
            packet.load(offset + ipv6::LENGTH).is_ok_and(|[kind, _code]| kind < ECHO_REQUEST_V6)
        }
        Link::Foreign => false,
    }
}

#[inline(always)]
fn first_type<P: Packet>(packet: &P, offset: usize) -> Result<u8, OutOfBounds> {
    let header = ipv4::Header::load(packet, offset)?;
    let [kind, _code] = packet.load(offset + header.header_length())?;
    Ok(kind)
}
