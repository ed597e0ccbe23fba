use super::std::collections::{BTreeMap, BTreeSet};
use super::std::vec::Vec;

use lightpath_abi::{BackendNumber, Flow, IDLE_TIMEOUT, Slot};

use crate::change;

/// Seconds after which a SYN is not answered any more: Linux gives a handshake up after 63 (`tcp_synack_retries` = 5).
const HANDSHAKE: u32 = 64;

/// When slots began to move, and which of them may settle.
///
/// It is told the time, so that the daemon and the simulator decide alike.
#[derive(Clone, Debug, Default)]
pub struct Moves {
    since: BTreeMap<u32, u32>,
}

impl Moves {
    /// What the slot `index` becomes when its table names `to`; see [`change`].
    pub fn change(
        &mut self,
        index: u32,
        slot: Slot,
        to: BackendNumber,
        serves: impl Fn(BackendNumber) -> bool,
        now: u32,
    ) -> Slot {
        let changed = change(slot, to, serves);
        if changed.current != slot.current {
            self.since.insert(index, now);
        }
        changed
    }

    /// The slots of `moving` that settle now.
    ///
    /// `flows` are the remembered flows that are not forgotten. A slot waits for those of its flows that live elsewhere than on
    /// its backend, and for as long as a flow from before the move may stay silent. When what is unknown goes to its backend
    /// anyway, that is only for as long as a handshake that began elsewhere may take to become a remembered flow. A slot whose
    /// move is not known, as after a restart, begins to wait now.
    pub fn settling(
        &mut self,
        moving: &BTreeMap<u32, Slot>,
        flows: impl Iterator<Item = Flow>,
        now: u32,
    ) -> Vec<u32> {
        let elsewhere =
            |flow: &Flow| moving.get(&flow.slot()).is_some_and(|slot| slot.current != flow.backend);
        let waited_for: BTreeSet<u32> = flows.filter(elsewhere).map(|flow| flow.slot()).collect();
        self.since.retain(|index, _| moving.contains_key(index));
        let mut settling = Vec::new();
        for (index, slot) in moving {
            let since = *self.since.entry(*index).or_insert(now);
            let wait = if slot.previous == slot.current { HANDSHAKE } else { u32::from(IDLE_TIMEOUT) };
            if now.wrapping_sub(since) > wait && !waited_for.contains(index) {
                settling.push(*index);
            }
        }
        settling
    }
}

/// Whether a remembered flow is not forgotten yet.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "entries keep the lowest bits of the time")]
pub fn is_fresh(flow: &Flow, now: u32) -> bool {
    flow.key != 0 && (now as u16).wrapping_sub(flow.seen) <= IDLE_TIMEOUT
}
