//! Moving slots: how flows survive a change of their slot's backend.
//!
//! A slot that has not changed lately sends every packet to its backend, and nothing is remembered of any flow. Only while a
//! slot moves does the flow table matter: new flows are remembered on the new backend, and a flow that nobody has heard of must
//! be older than the move, so it stays on the previous one. State is kept where the table is in motion, and nowhere else.

use lightpath_abi::{
    BackendNumber, Entry, FLOW_WAYS, Flow, FlowTable, IDLE_TIMEOUT, ServiceIndex, Slot, UDP_LEARN,
};

use crate::wire::TCP;
use crate::{FlowHash, Frame, Tables};

/// How far the first packet after a SYN may continue its sequence number: more than any initial window, and so little that a
/// forged SYN meets a flow's own numbers by chance once in 65,536 times.
const CONTINUES: u32 = 1 << 16;

/// What a slot becomes when its table names `to`.
///
/// A settled slot whose backend can still serve its flows starts to move. A moving one keeps its oldest backend while that
/// serves, because newer flows are remembered; when it does not, what is not remembered goes on to the new one. Without a new
/// one it keeps a previous one that is gone, and so goes on moving: remembered flows of draining backends are still found.
#[must_use]
pub fn change(slot: Slot, to: BackendNumber, serves: impl Fn(BackendNumber) -> bool) -> Slot {
    let Slot { current, mut previous } = slot;
    if previous != 0 && !serves(previous) {
        if current != to && current != 0 && serves(current) {
            previous = current;
        } else if to != 0 {
            previous = to;
        }
    }
    if to == current {
        return Slot { current, previous };
    }
    if previous == 0 && current != 0 && serves(current) {
        previous = current;
    }
    Slot { current: to, previous }
}

/// The backend of a packet whose slot is moving.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "entries keep the lowest bits of the time")]
pub(crate) fn follow<T: Tables>(
    frame: &Frame,
    hash: FlowHash,
    (index, slot): (u32, Slot),
    service: &Entry,
    tables: &T,
) -> BackendNumber {
    let now = tables.now();
    let key = hash.key();
    let moving = Moving { key, now: now as u16, service: service.service, tables };
    if let Some((place, flow)) = moving.recall(FlowTable::Established) {
        if flow.seen != moving.now {
            tables.remember(FlowTable::Established, place, Flow { seen: moving.now, ..flow });
        }
        return flow.backend;
    }
    let fallback = if moving.serves(slot.previous) { slot.previous } else { slot.current };
    let backend = if frame.protocol != TCP {
        if now.wrapping_sub(service.moved) < UDP_LEARN { fallback } else { slot.current }
    } else if frame.syn {
        moving.half_open(Flow { key, detail: frame.sequence, backend: slot.current, seen: moving.now });
        return slot.current;
    } else {
        match moving.recall(FlowTable::HalfOpen) {
            Some((_, flow)) if continues(flow.detail, frame.sequence) => flow.backend,
            _ => fallback,
        }
    };
    moving.establish(Flow { key, detail: index, backend, seen: moving.now }, backend != fallback);
    backend
}

/// Whether a packet is an early one of the connection that a SYN opened.
#[inline(always)]
const fn continues(syn: u32, sequence: u32) -> bool {
    let ahead = sequence.wrapping_sub(syn);
    ahead != 0 && ahead <= CONTINUES
}

/// What is known of a packet's flow.
struct Moving<'a, T> {
    key: u64,
    now: u16,
    service: ServiceIndex,
    tables: &'a T,
}

impl<T: Tables> Moving<'_, T> {
    #[inline(always)]
    fn serves(&self, number: BackendNumber) -> bool {
        match self.tables.backend(number) {
            Some(backend) => backend.service == self.service && backend.serving != 0,
            None => false,
        }
    }

    #[inline(always)]
    fn is_fresh(&self, flow: &Flow) -> bool {
        flow.key != 0 && self.now.wrapping_sub(flow.seen) <= IDLE_TIMEOUT
    }

    /// Where the flow is remembered, and as what.
    #[inline(always)]
    fn recall(&self, table: FlowTable) -> Option<(u32, Flow)> {
        let first = table.first_place(self.key);
        let mut way = 0;
        while way < FLOW_WAYS {
            if let Some(flow) = self.tables.flow(table, first + way)
                && flow.key == self.key
            {
                return if self.is_fresh(&flow) && self.serves(flow.backend) {
                    Some((first + way, flow))
                } else {
                    None
                };
            }
            way += 1;
        }
        None
    }

    /// Remembers a SYN, in place of the oldest if need be: a flood of them pushes out SYNs and nothing else.
    #[inline(always)]
    fn half_open(&self, flow: Flow) {
        let first = FlowTable::HalfOpen.first_place(self.key);
        let (mut place, mut oldest) = (first, 0);
        let mut way = 0;
        while way < FLOW_WAYS {
            if let Some(there) = self.tables.flow(FlowTable::HalfOpen, first + way) {
                if there.key == self.key || there.key == 0 {
                    place = first + way;
                    break;
                }
                let age = self.now.wrapping_sub(there.seen);
                if age >= oldest {
                    (place, oldest) = (first + way, age);
                }
            }
            way += 1;
        }
        self.tables.remember(FlowTable::HalfOpen, place, flow);
    }

    /// Remembers a flow, in a place that is empty or whose flow is gone. One that went another way than it would by default
    /// (`special`) may take the place of one that did not: that one finds its way without being remembered.
    #[inline(always)]
    fn establish(&self, flow: Flow, special: bool) {
        let first = FlowTable::Established.first_place(self.key);
        let mut place = None;
        let mut way = 0;
        while way < FLOW_WAYS {
            if let Some(there) = self.tables.flow(FlowTable::Established, first + way) {
                if there.key == self.key || !self.is_fresh(&there) || !self.serves_any(there.backend) {
                    place = Some(first + way);
                    break;
                }
                if special && self.is_default(&there) {
                    place = Some(first + way);
                }
            }
            way += 1;
        }
        if let Some(place) = place {
            self.tables.remember(FlowTable::Established, place, flow);
        }
    }

    /// Whether the backend of some service can serve its flows.
    #[inline(always)]
    fn serves_any(&self, number: BackendNumber) -> bool {
        self.tables.backend(number).is_some_and(|backend| backend.serving != 0)
    }

    /// Whether a flow would be sent where it is remembered if it were not.
    #[inline(always)]
    fn is_default(&self, flow: &Flow) -> bool {
        self.tables.slot(flow.detail).is_some_and(|slot| slot.previous == flow.backend)
    }
}
