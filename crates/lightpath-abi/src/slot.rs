use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::BackendNumber;

/// One slot of a service's Maglev table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Slot {
    /// The backend new flows go to; 0 when the service has none.
    pub current: BackendNumber,
    /// The backend older flows stay with while the slot moves; 0 when it is settled.
    pub previous: BackendNumber,
}

/// Two neighbouring slots: the kernel rounds array elements up to eight bytes, so slots are stored in pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct SlotPair(pub u64);

const _: () = assert!(size_of::<Slot>() == 4);
const _: () = assert!(size_of::<SlotPair>() == 8);

impl Slot {
    /// A slot that names one backend and no earlier one.
    #[must_use]
    pub const fn settled(current: BackendNumber) -> Self {
        Self { current, previous: 0 }
    }

    /// As stored: one word, so that it is read and written whole.
    #[must_use]
    pub const fn to_word(self) -> u32 {
        (self.previous as u32) << 16 | self.current as u32
    }

    /// From its stored form.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken in turn")]
    pub const fn from_word(word: u32) -> Self {
        Self { current: word as u16, previous: (word >> 16) as u16 }
    }
}

impl SlotPair {
    /// The slot with this index in the whole array; the pair is number `index / 2`.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the shift leaves the wanted half low")]
    pub const fn slot(self, index: u32) -> Slot {
        Slot::from_word((self.0 >> ((index & 1) * 32)) as u32)
    }
}
