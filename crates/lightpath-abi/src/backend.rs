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
    /// Which of `hops` is in use (only the lowest bit counts). Switching it is what publishes a new next hop.
    pub active_hop: u32,
    /// The service it belongs to; 0 marks an unused number.
    pub service: ServiceIndex,
    /// Its port; 0 keeps the port the client used.
    pub port: u16,
    /// 1 while it can serve its flows; 0 moves them at once.
    pub serving: u8,
    /// Zero.
    pub reserved: [u8; 5],
}

const _: () = assert!(size_of::<NextHop>() == 16);
const _: () = assert!(size_of::<Backend>() == 64);

impl Backend {
    /// The next hop in use.
    #[inline(always)]
    #[must_use]
    pub const fn next_hop(&self) -> NextHop {
        if self.active_hop & 1 == 0 { self.hops[0] } else { self.hops[1] }
    }
}
