use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, ServiceIndex};

/// Names a backend of one service, from 1; 0 is none. The same server behind two services has two numbers.
pub type BackendNumber = u16;

/// Where a packet goes on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct NextHop {
    /// Destination MAC address.
    pub mac: [u8; 6],
    /// Source MAC address: the egress interface's own.
    pub source_mac: [u8; 6],
    /// VLAN that the frame leaves on, 1 to 4094; 0 leaves it untagged.
    pub vlan: u16,
    /// Bytes of the largest IP packet that the way to the neighbour takes; 0 is not known and limits nothing.
    pub mtu: u16,
    /// Index of the egress interface; 0 is unresolved.
    pub interface: u32,
}

/// A real server of a service, in one cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Backend {
    /// Its address.
    pub address: Address,
    /// The next hop in use and its successor: one is written while the other is read.
    pub hops: [NextHop; 2],
    /// The service it belongs to; 0 marks an unused number.
    pub service: ServiceIndex,
    /// Its port; 0 keeps the port the client used.
    pub port: u16,
    /// The first of this node's addresses that packets to it may come from, by its index in the array of all
    /// [`Source`]s: outer source of a tunnel, or source in `fullnat`.
    pub source: u16,
    /// Which of `hops` is in use (only the lowest bit counts). Switching it is what publishes a new next hop.
    pub active_hop: u8,
    /// 1 while it can serve its flows; 0 moves them at once.
    pub serving: u8,
}

const _: () = assert!(size_of::<NextHop>() == 20);
const _: () = assert!(size_of::<Backend>() == 64);

impl NextHop {
    /// Whether an IP packet of so many bytes is too big for it.
    #[inline(always)]
    #[must_use]
    pub const fn is_too_small_for(&self, length: u32) -> bool {
        self.mtu != 0 && length > self.mtu as u32
    }
}

impl Backend {
    /// The next hop in use.
    #[inline(always)]
    #[must_use]
    pub const fn next_hop(&self) -> &NextHop {
        &self.hops[(self.active_hop & 1) as usize]
    }
}

/// Addresses of this node that packets to backends come from, spread by flow: a prefix, of which one address is used for each
/// flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Source {
    /// The first address.
    pub address: Address,
    /// The bits of the address's last half that differ between flows.
    pub spread: u64,
    /// How many prefixes there are from this one on, itself included; flows are spread over all of them.
    pub count: u32,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<Source>() == 32);
