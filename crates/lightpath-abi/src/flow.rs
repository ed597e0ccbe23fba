use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::BackendNumber;

/// A remembered flow: two words, each written whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Flow {
    /// The keyed hash of its 5-tuple, which stands for it; 0 marks an empty place.
    pub key: u64,
    /// Established: the slot it belongs to, by its index in the array of all slots. Half-open: the sequence number of its SYN.
    pub detail: u32,
    /// The backend it stays with.
    pub backend: BackendNumber,
    /// When a packet of it was last seen, in seconds of the monotonic clock, the lowest 16 bits.
    pub seen: u16,
}

const _: () = assert!(size_of::<Flow>() == 16);

/// Places that a flow may be remembered in: neighbours, in one cache line.
pub const FLOW_WAYS: u32 = 4;

/// Seconds after which a flow that sent nothing is forgotten.
pub const IDLE_TIMEOUT: u16 = 900;

/// Seconds of a move during which an unknown UDP flow is taken for one that began before it.
pub const UDP_LEARN: u32 = 10;

/// Which table a flow is remembered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowTable {
    /// Flows known to live on the backend they are remembered with.
    Established,
    /// TCP flows of which only the SYN was seen.
    HalfOpen,
}

impl FlowTable {
    /// Places in the table; a power of two.
    #[must_use]
    pub const fn places(self) -> u32 {
        match self {
            Self::Established => 1 << 16,
            Self::HalfOpen => 1 << 14,
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
