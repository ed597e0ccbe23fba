use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, BackendNumber};

/// Names a service, from 1; 0 is none.
pub type ServiceIndex = u32;

/// 64-bit words of one Bloom filter: 65,536 bits.
pub const FILTER_WORDS: u32 = 1024;

/// One line of the directory, which says what an address, port and protocol mean to the data plane.
///
/// A service, a backend whose replies need undoing, and a VIP as such are all found by the same search, so they share a
/// table and its shape; which fields count depends on the tag's [`Role`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Entry {
    /// The address searched for: VIP, or the backend's in a reply.
    pub address: Address,
    /// Port, protocol and role searched for. Written last when an entry is added and first when it goes.
    pub tag: Tag,
    /// The service.
    pub service: ServiceIndex,
    /// Service: where its slots are. One word, so that a table is exchanged in one store.
    pub slots: Slots,
    /// Reply: the service's address, which becomes the source again.
    pub vip: Address,
    /// Reply: the service's port, which becomes the source port again; 0 keeps the port.
    pub vip_port: u16,
    /// Reply: the backend, for its counters.
    pub backend: BackendNumber,
    /// Service: how packets are forwarded, a [`Forward`] as a number.
    pub forward: u8,
    /// Service: 1 when only the source address is hashed.
    pub sticky: u8,
    /// Zero.
    pub reserved: [u8; 2],
    /// Service: when some of its slots last began to move, in seconds of the monotonic clock.
    pub moved: u32,
    /// Zero; fills the cache line.
    pub reserved_end: [u8; 4],
}

const _: () = assert!(size_of::<Entry>() == 64);

/// Port, protocol and role of an [`Entry`] in one word; 0 marks an empty line.
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
#[repr(transparent)]
pub struct Tag(pub u32);

impl Tag {
    /// The tag of the ports that share the first `prefix` bits (0 to 16) with `port`.
    ///
    /// 16 is one port, 0 every port. A range is the few prefixes that make it up, like a route.
    #[inline(always)]
    #[must_use]
    pub const fn new(role: Role, protocol: u8, port: u16, prefix: u32) -> Self {
        let mask = (0xffff_u32 << (16 - prefix)) & 0xffff;
        Self((port as u32 & mask) << 16 | (protocol as u32) << 8 | (role as u32) << 5 | prefix)
    }

    /// The tag of the ports that share the first `prefix` bits (0 to 15) with this tag's single port.
    #[inline(always)]
    #[must_use]
    pub const fn shortened(self, prefix: u32) -> Self {
        let ports = (0xffff_0000_u32 << (16 - prefix)) & 0xffff_0000;
        Self(self.0 & (ports | 0xffe0) | prefix)
    }

    /// The tag under which an address itself is listed as a VIP.
    pub const VIP: Self = Self::new(Role::Vip, 0, 0, 0);

    /// The role, unless this is an empty line.
    #[must_use]
    pub const fn role(self) -> Option<Role> {
        match self.0 >> 5 & 7 {
            1 => Some(Role::Service),
            2 => Some(Role::Reply),
            3 => Some(Role::Vip),
            _ => None,
        }
    }
}

/// What an [`Entry`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// Packets to this address and port belong to a service.
    Service = 1,
    /// Packets from this address and port are replies of a `nat` backend.
    Reply = 2,
    /// The address is the VIP of some service.
    Vip = 3,
}

/// Where a service's slots are in the slot array, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Slots(pub u64);

impl Slots {
    /// `count` slots from `base` on.
    #[must_use]
    pub const fn new(base: u32, count: u32) -> Self {
        Self((count as u64) << 32 | base as u64)
    }

    /// Index of the first slot.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    pub const fn base(self) -> u32 {
        self.0 as u32
    }

    /// Number of slots.
    #[inline(always)]
    #[must_use]
    pub const fn count(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// How a service's packets reach a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Forward {
    /// Destination address and port rewritten; the reply is undone on its way back.
    Nat = 1,
    /// Only MAC addresses rewritten; the backend answers the client itself.
    Dsr = 2,
}

impl Forward {
    /// The mode a map's number stands for.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Nat),
            2 => Some(Self::Dsr),
            _ => None,
        }
    }
}
