//! The flow tables: what is remembered while slots move, and when they settle.

use std::collections::{BTreeMap, BTreeSet};

use lightpath_abi::{BackendNumber, Flow, FlowTable, Slot};
use lightpath_core::host::is_fresh;
use zerocopy::transmute;

use crate::Error;
use crate::clock::monotonic_seconds;
use crate::maps::Maps;
use crate::memory::Memory;
use crate::slots::{read_slot, write_slot};

const FLOW_WORDS: usize = size_of::<Flow>() / size_of::<u64>();

/// What moves, and what is remembered for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Motion {
    /// Slots whose backend was changed while flows of an earlier one may live on.
    pub moving_slots: usize,
    /// Flows that are remembered because of them.
    pub flows: usize,
    /// Those flows, by the backend they stay with.
    pub flows_of: BTreeMap<BackendNumber, usize>,
    /// The backends that any slot, remembered flow or session names.
    pub in_use: BTreeSet<BackendNumber>,
}

/// Bytes that the flow tables take, whatever is in them.
pub const FLOW_TABLE_BYTES: usize = (FlowTable::Established.places()
    + FlowTable::HalfOpen.places()
    + FlowTable::Fragments.places()
    + FlowTable::Direct.places()) as usize
    * size_of::<Flow>();

impl Maps {
    /// Settles the slots that need their flow table no longer, and forgets the flows that are over.
    pub(crate) fn settle(&mut self) -> Result<Motion, Error> {
        let now = monotonic_seconds();
        let slots = self.slots()?;
        let mut moving = BTreeMap::new();
        // By number, for there may be millions of slots and there are few numbers.
        let mut named = vec![false; usize::from(BackendNumber::MAX) + 1];
        for (index, slot) in self.used_slots(&slots) {
            named[usize::from(slot.current)] = true;
            named[usize::from(slot.previous)] = true;
            if slot.previous != 0 {
                moving.insert(index, slot);
            }
        }
        let table = self.flows(FlowTable::Established)?;
        let mut remembered = Vec::new();
        for place in 0..FlowTable::Established.places() {
            let flow = read_flow(&table, place);
            if is_fresh(&flow, now) && self.backend(flow.backend).serving != 0 {
                remembered.push(flow);
            } else if flow.key != 0 {
                forget(&table, place);
            }
        }
        let settling = self.moves.settling(&moving, remembered.iter().copied(), now);
        for index in &settling {
            let slot = read_slot(&slots, *index);
            write_slot(&slots, *index, Slot::settled(slot.current));
        }
        self.settle_direct(now)?;
        let mut flows_of = BTreeMap::new();
        for flow in &remembered {
            *flows_of.entry(flow.backend).or_default() += 1;
        }
        let named = (1..=BackendNumber::MAX).filter(|number| named[usize::from(*number)]);
        let with_sessions = self.sessions()?;
        let with_flows = flows_of.keys().chain(with_sessions.keys()).copied();
        let in_use: BTreeSet<BackendNumber> = named.chain(with_flows).collect();
        Ok(Motion { moving_slots: moving.len() - settling.len(), flows: remembered.len(), flows_of, in_use })
    }

    /// Forgets connections made straight to backends that are over, and says so when none is left: replies then pay for none.
    fn settle_direct(&self, now: u32) -> Result<(), Error> {
        if self.has_direct.read::<1>(0) == [0] {
            return Ok(());
        }
        // One that comes now is noticed again with its next packet, or with the next settling.
        self.has_direct.write(0, 0);
        let table = self.flows(FlowTable::Direct)?;
        for place in 0..FlowTable::Direct.places() {
            let flow = read_flow(&table, place);
            if is_fresh(&flow, now) {
                self.has_direct.write(0, 1);
            } else if flow.key != 0 {
                forget(&table, place);
            }
        }
        Ok(())
    }

    /// The slots of all services, by their index in the array of all slots.
    fn used_slots(&self, slots: &Memory) -> impl Iterator<Item = (u32, Slot)> {
        let regions: Vec<_> = self.regions().used.into_values().collect();
        let indices = regions.into_iter().flat_map(|region| region.base()..region.base() + region.count());
        indices.map(|index| (index, read_slot(slots, index)))
    }

    /// Forgets the flows of backends, established or not.
    pub(crate) fn forget_flows(&self, backends: &BTreeSet<BackendNumber>) -> Result<(), Error> {
        if backends.is_empty() {
            return Ok(());
        }
        for table in [FlowTable::Established, FlowTable::HalfOpen] {
            let memory = self.flows(table)?;
            for place in 0..table.places() {
                let flow = read_flow(&memory, place);
                if flow.key != 0 && backends.contains(&flow.backend) {
                    forget(&memory, place);
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn read_flow(table: &Memory, place: u32) -> Flow {
    transmute!(table.read::<FLOW_WORDS>(place as usize * FLOW_WORDS))
}

fn forget(table: &Memory, place: u32) {
    table.write(place as usize * FLOW_WORDS, 0);
}
