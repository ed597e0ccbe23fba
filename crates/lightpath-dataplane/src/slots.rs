//! The array of all slots as memory: a slot is half a word, and changes in one store.

use lightpath_abi::{Slot, SlotPair};

use crate::memory::Memory;

/// The slot with this index in the array of all slots.
pub(crate) fn read_slot(memory: &Memory, index: u32) -> Slot {
    let [pair] = memory.read::<1>(index as usize / 2);
    SlotPair(pair).slot(index)
}

/// Replaces the slot with this index, in one store.
pub(crate) fn write_slot(memory: &Memory, index: u32, slot: Slot) {
    let pair = index as usize / 2;
    let [now] = memory.read::<1>(pair);
    let shift = (index & 1) * 32;
    memory.write(pair, now & !(0xffff_ffff << shift) | u64::from(slot.to_word()) << shift);
}
