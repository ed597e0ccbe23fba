use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, BackendNumber};

/// Names a service, from 1; 0 is none.
pub type ServiceIndex = u16;

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
    /// Service: how packets are forwarded, a [`Forward`] as a number.
    pub forward: u8,
    /// Service: 1 when only the source address is hashed.
    pub sticky: u8,
    /// Service: where its slots are. One word, so that a table is exchanged in one store.
    pub slots: Slots,
    /// Reply: the service's address, which becomes the source again.
    pub vip: Address,
    /// Reply: the service's port, which becomes the source port again; 0 keeps the port.
    pub vip_port: u16,
    /// Reply: the backend, for its counters. Server ID: the backend it belongs to.
    pub backend: BackendNumber,
    /// Service: when some of its slots last began to move, in seconds of the monotonic clock.
    pub moved: u32,
    /// Service: 1 when a packet that no backend can take is refused, 0 when it is dropped without a word.
    pub refuses: u8,
    /// Service: bytes of the server ID in a QUIC connection ID (1 to 15); 0 looks into none.
    pub server_id_length: u8,
    /// Service: the configuration that server IDs are valid under, the first three bits of a connection ID.
    pub config_id: u8,
    /// VIP: 1 when it is an address of this node, whose kernel answers for what is no service's.
    pub local: u8,
    /// Zero; fills the cache line.
    pub reserved: [u8; 4],
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

    /// The tag under which an address of this node is listed that `fullnat` uses.
    pub const NODE: Self = Self::new(Role::Node, 0, 0, 0);

    /// The tag under which the server IDs of a service are listed.
    #[inline(always)]
    #[must_use]
    pub const fn server_id(service: ServiceIndex) -> Self {
        Self::new(Role::ServerId, 0, service, 16)
    }

    /// The transport protocol, by its number.
    #[must_use]
    pub const fn protocol(self) -> u8 {
        let [_, _, protocol, _] = self.0.to_be_bytes();
        protocol
    }

    /// The first and the last of the ports.
    #[must_use]
    pub const fn ports(self) -> (u16, u16) {
        let [high, low, _, _] = self.0.to_be_bytes();
        let first = u16::from_be_bytes([high, low]);
        let open = match self.0 & 0x1f {
            0 => u16::MAX,
            prefix => (1_u16 << (16 - prefix)).wrapping_sub(1),
        };
        (first, first | open)
    }

    /// The role, unless this is an empty line.
    #[must_use]
    pub const fn role(self) -> Option<Role> {
        match self.0 >> 5 & 7 {
            1 => Some(Role::Service),
            2 => Some(Role::Reply),
            3 => Some(Role::Vip),
            4 => Some(Role::ServerId),
            5 => Some(Role::Node),
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
    /// A QUIC connection ID with this server ID leads to one backend of a service. The address is the server ID, the port the
    /// service's index: see [`Tag::server_id`].
    ServerId = 4,
    /// The address is one of this node's own that packets to backends come from in `fullnat`.
    Node = 5,
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
    /// Encapsulated in IP (RFC 2003, RFC 2473, RFC 4213); the backend answers the client itself.
    Ipip = 3,
    /// Encapsulated in UDP by GUE (draft-ietf-intarea-gue-09), likewise.
    Gue = 4,
    /// Source and destination rewritten; the reply comes back to this node wherever the backend is.
    FullNat = 5,
}

impl Forward {
    /// The mode a map's number stands for.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Nat),
            2 => Some(Self::Dsr),
            3 => Some(Self::Ipip),
            4 => Some(Self::Gue),
            5 => Some(Self::FullNat),
            _ => None,
        }
    }
}
