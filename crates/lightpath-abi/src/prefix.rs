use core::net::IpAddr;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, transmute};

use crate::Address;

/// A prefix of addresses, as `struct bpf_lpm_trie_key_u8` of the kernel's uapi/linux/bpf.h has it. IPv4 is in its IPv6-mapped form,
/// so that one trie holds both families.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Prefix {
    /// How many bits count, of 128.
    bits: u32,
    /// The sixteen octets, as they lie in memory.
    address: [u32; 4],
}

const _: () = assert!(size_of::<Prefix>() == 20);

impl Prefix {
    /// The prefix of an address that is so many bits long, at most 32 in IPv4.
    #[must_use]
    pub fn new(address: IpAddr, bits: u8) -> Self {
        let before = if address.is_ipv4() { 96 } else { 0 };
        Self { bits: before + u32::from(bits), ..Self::of(address.into()) }
    }

    /// All of an address.
    #[inline(always)]
    #[must_use]
    pub const fn of(address: Address) -> Self {
        Self { bits: 128, address: transmute!([address.high.to_be(), address.low.to_be()]) }
    }

    /// Its bits and octets, as the key of a trie is made of.
    #[inline(always)]
    #[must_use]
    pub const fn parts(self) -> (u32, [u32; 4]) {
        (self.bits, self.address)
    }

    /// Whether an address begins with it.
    #[must_use]
    pub fn contains(&self, address: Address) -> bool {
        let number = |words: [u32; 4]| u128::from_be_bytes(transmute!(words));
        let differing = number(self.address) ^ number(Self::of(address).address);
        differing.leading_zeros() >= self.bits
    }
}
