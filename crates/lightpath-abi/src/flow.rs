use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::BackendNumber;

/// A remembered flow: two words, each written whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Flow {
    /// The keyed hash of its 5-tuple, which stands for it; 0 marks an empty place.
    pub key: u64,
    /// Half-open: the sequence number of its SYN. Established: see [`slot`](Self::slot) and
    /// [`finds_its_way`](Self::finds_its_way).
    pub detail: u32,
    /// The backend it stays with.
    pub backend: BackendNumber,
    /// When a packet of it was last seen, in seconds of the monotonic clock, the lowest 16 bits.
    pub seen: u16,
}

const _: () = assert!(size_of::<Flow>() == 16);

/// Set in the detail of an established flow that finds its way without being remembered.
const FINDS_ITS_WAY: u32 = 1 << 31;

impl Flow {
    /// An established flow.
    #[inline(always)]
    #[must_use]
    pub const fn established(
        key: u64,
        slot: u32,
        finds_its_way: bool,
        backend: BackendNumber,
        seen: u16,
    ) -> Self {
        let detail = if finds_its_way { slot | FINDS_ITS_WAY } else { slot };
        Self { key, detail, backend, seen }
    }

    /// Established: the slot it belongs to, by its index in the array of all slots.
    #[must_use]
    pub const fn slot(&self) -> u32 {
        self.detail & !FINDS_ITS_WAY
    }

    /// Established: whether it would be sent where it is if it were not remembered, being older than its slot's move.
    #[inline(always)]
    #[must_use]
    pub const fn finds_its_way(&self) -> bool {
        self.detail & FINDS_ITS_WAY != 0
    }
}

/// Places that a flow may be remembered in: neighbours, in one cache line. The first flows are turned away when about a
/// twelfth of the table is in use.
pub const FLOW_WAYS: u32 = 4;

/// Seconds after which a flow that sent nothing is forgotten.
pub const IDLE_TIMEOUT: u16 = 900;

/// Seconds of a move during which an unknown UDP flow is taken for one that began before it.
pub const UDP_LEARN: u32 = 10;

/// Seconds after which the ports of a fragmented datagram are forgotten. RFC 8200, 4.5 gives a datagram 60 to be put together;
/// identifications of IPv4 come around sooner (RFC 4963).
pub const FRAGMENT_TIMEOUT: u16 = 15;

/// Which table a flow is remembered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowTable {
    /// Flows known to live on the backend they are remembered with.
    Established,
    /// TCP flows of which only the SYN was seen.
    HalfOpen,
    /// Fragmented datagrams whose first fragment was seen: the key is of addresses, protocol and identification, the detail both
    /// ports.
    Fragments,
    /// Connections made straight to a `nat` backend's address, by way of this node.
    Direct,
}

impl FlowTable {
    /// Every table, in the order of its number.
    pub const ALL: [Self; 4] = [Self::Established, Self::HalfOpen, Self::Fragments, Self::Direct];

    /// Places in the table; a power of two.
    #[must_use]
    pub const fn places(self) -> u32 {
        match self {
            Self::Established => 1 << 18,
            Self::HalfOpen => 1 << 14,
            Self::Fragments | Self::Direct => 1 << 12,
        }
    }

    /// The first of the [`FLOW_WAYS`] neighbouring places of a flow.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are what is wanted")]
    pub const fn first_place(self, key: u64) -> u32 {
        key as u32 & (self.places() - FLOW_WAYS)
    }
}
