use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, transmute};

/// An IPv4 or IPv6 address as one 128-bit number, IPv4 in its IPv6-mapped form (RFC 4291, 2.5.5.2).
///
/// One width for both families keeps keys and values of one shape. Comparing costs two instructions, and a family
/// cannot be mistaken for the other.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(C)]
pub struct Address {
    /// The first eight octets as a number; 0 in IPv4.
    pub high: u64,
    /// The last eight octets as a number.
    pub low: u64,
}

const _: () = assert!(size_of::<Address>() == 16);

const MAPPED: u64 = 0x0000_ffff_0000_0000;

impl Address {
    /// An IPv4 address.
    #[inline(always)]
    #[must_use]
    pub const fn v4(address: u32) -> Self {
        Self { high: 0, low: MAPPED | address as u64 }
    }

    /// The IPv4 address, or the last 32 bits of an IPv6 one.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    pub const fn low32(self) -> u32 {
        self.low as u32
    }

    /// Whether this is an IPv4 address.
    #[must_use]
    pub const fn is_v4(self) -> bool {
        self.high == 0 && self.low >> 32 == MAPPED >> 32
    }

    /// The sixteen octets, in network order.
    #[inline(always)]
    #[must_use]
    pub const fn octets(self) -> [u8; 16] {
        transmute!([self.high.to_be(), self.low.to_be()])
    }

    /// As the standard library's type.
    #[must_use]
    pub const fn to_ip(self) -> IpAddr {
        if self.is_v4() {
            IpAddr::V4(Ipv4Addr::from_bits(self.low32()))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits((self.high as u128) << 64 | self.low as u128))
        }
    }
}

impl From<IpAddr> for Address {
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken in turn")]
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::v4(address.to_bits()),
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                Self { high: (bits >> 64) as u64, low: bits as u64 }
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}
