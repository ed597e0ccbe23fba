//! Moving slots: how flows survive a change of their slot's backend.
//!
//! A slot that has not changed lately sends every packet to its backend, and nothing is remembered of any flow. Only while a
//! slot moves does the flow table matter: new flows are remembered on the new backend, and a flow that nobody has heard of must
//! be older than the move, so it stays on the previous one. State is kept where the table is in motion, and nowhere else.

use lightpath_abi::{BackendNumber, Entry, Flow, FlowTable, IDLE_TIMEOUT, ServiceIndex, Slot, UDP_LEARN};

use crate::places::best_place;
use crate::wire::TCP;
use crate::{Frame, Part, Placement, Tables};

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

/// A packet whose slot is moving, as far as its backend depends on it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Sighting {
    /// What stands for its flow in the flow tables.
    key: u64,
    /// TCP: its sequence number.
    sequence: u32,
    /// TCP: whether it opens a connection.
    syn: bool,
    tcp: bool,
    /// Whether it is asked where the flow is, and nothing else: what an ICMP error says of a flow is no sign of its life.
    asked: bool,
    slot: Slot,
    /// The slot's index in the array of all slots.
    index: u32,
    service: ServiceIndex,
    /// When slots of the service last began to move.
    moved: u32,
}

impl Sighting {
    #[inline(always)]
    pub(crate) fn new(frame: &Frame, placement: Placement, slot: Slot, service: &Entry) -> Self {
        let tcp = frame.protocol == TCP;
        Self {
            key: placement.hash.key(),
            sequence: frame.sequence,
            syn: frame.syn,
            tcp,
            asked: frame.part == Part::Quoted,
            slot,
            index: placement.index,
            service: service.service,
            moved: service.moved,
        }
    }
}

/// The backend of a packet whose slot is moving.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "entries keep the lowest bits of the time")]
pub fn follow<T: Tables>(packet: &Sighting, tables: &T) -> BackendNumber {
    let slot = packet.slot;
    let now = tables.now();
    let moving = Moving { packet, now: now as u16, tables };
    if let Some((place, flow)) = moving.recall(FlowTable::Established) {
        if flow.seen != moving.now && !packet.asked {
            tables.remember(FlowTable::Established, place, Flow { seen: moving.now, ..flow });
        }
        return flow.backend;
    }
    let fallback = if moving.serves(slot.previous) { slot.previous } else { slot.current };
    let begun = if packet.tcp { moving.recall(FlowTable::HalfOpen) } else { None };
    let backend = match begun {
        _ if !packet.tcp => {
            if now.wrapping_sub(packet.moved) < UDP_LEARN {
                fallback
            } else {
                slot.current
            }
        }
        // A SYN sent again goes where the first one went, be the slot another's by now.
        Some((_, flow)) if packet.syn && flow.detail == packet.sequence => return flow.backend,
        _ if packet.syn => {
            // A flow that could not be remembered goes where unknown flows go, and so needs no memory.
            let flow =
                Flow { key: packet.key, detail: packet.sequence, backend: slot.current, seen: moving.now };
            return if moving.half_open(flow) { slot.current } else { fallback };
        }
        Some((_, flow)) if packet.asked || continues(flow.detail, packet.sequence) => flow.backend,
        _ => fallback,
    };
    if packet.asked {
        return backend;
    }
    // A UDP flow is taken for an old one only for a while: later it would not find its way without its entry.
    let finds_its_way = packet.tcp && backend == fallback;
    let flow = Flow::established(packet.key, packet.index, finds_its_way, backend, moving.now);
    moving.establish(flow, backend != fallback);
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
    packet: &'a Sighting,
    now: u16,
    tables: &'a T,
}

impl<T: Tables> Moving<'_, T> {
    #[inline(always)]
    fn serves(&self, number: BackendNumber) -> bool {
        match self.tables.backend(number) {
            Some(backend) => backend.service == self.packet.service && backend.serving != 0,
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
        let place = best_place(self.tables, table, self.packet.key, |flow| {
            if flow.key == self.packet.key { Some(0) } else { None }
        })?;
        let flow = self.tables.flow(table, place)?;
        if self.is_fresh(&flow) && self.serves(flow.backend) { Some((place, flow)) } else { None }
    }

    /// Remembers a SYN, if the flow can be remembered too when it is established. A flood of SYNs takes the places of SYNs and of
    /// nothing else, and those of the last second it leaves alone.
    #[inline(always)]
    fn half_open(&self, flow: Flow) -> bool {
        if self.room(true).is_none() {
            return false;
        }
        let place = best_place(self.tables, FlowTable::HalfOpen, self.packet.key, |there| match there {
            _ if there.key == self.packet.key => Some(0),
            _ if there.key == 0 => Some(1),
            _ if !self.is_fresh(there) => Some(2),
            _ if self.now.wrapping_sub(there.seen) > 1 => Some(3),
            _ => None,
        });
        if let Some(place) = place {
            self.tables.remember(FlowTable::HalfOpen, place, flow);
        }
        place.is_some()
    }

    /// Remembers a flow, if there is room.
    #[inline(always)]
    fn establish(&self, flow: Flow, special: bool) {
        if let Some(place) = self.room(special) {
            self.tables.remember(FlowTable::Established, place, flow);
        }
    }

    /// A place for the flow that is empty or whose flow is gone. One that goes another way than it would by default (`special`) may
    /// take the place of one that does not: that one finds its way without being remembered.
    #[inline(always)]
    fn room(&self, special: bool) -> Option<u32> {
        best_place(self.tables, FlowTable::Established, self.packet.key, |there| match there {
            _ if there.key == self.packet.key => Some(0),
            _ if !self.is_fresh(there) => Some(1),
            _ if special && there.finds_its_way() => Some(2),
            _ => None,
        })
    }
}
