//! Desired tables onto running maps: only what differs is written, in an order in which no packet meets a gap.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use lightpath_abi::{
    Address, Backend, BackendNumber, Entry, FILTER_WORDS, Role, ServiceIndex, Slot, Slots, Source, Tag,
    VlanInterface,
};
use lightpath_core::HashKey;
use lightpath_core::directory::{self, Lines};
use lightpath_core::host::{Changes, Image as Tables};
use zerocopy::transmute;

use crate::Error;
use crate::clock::monotonic_seconds;
use crate::lines::DirectoryLines;
use crate::maps::Maps;
use crate::memory::Memory;
use crate::slots::{read_slot, write_slot};

const BACKEND_WORDS: usize = size_of::<Backend>() / size_of::<u64>();
const SOURCE_WORDS: usize = size_of::<Source>() / size_of::<u64>();
const ACTIVE_HOP_AT: usize = std::mem::offset_of!(Backend, active_hop) / size_of::<u64>();

impl Maps {
    /// Makes the maps equal to `tables`.
    ///
    /// Backends come first, then the lines by which their replies are known, then the slots that name them, then the lines that
    /// lead to the slots, and what is no longer reached goes last. So a packet at any moment finds either the old way or the
    /// new one, and so does its answer.
    pub(crate) fn apply(&mut self, tables: &Tables, key: HashKey) -> Result<Changes, Error> {
        let mut changes = Changes::default();
        let mut ended = self.ended(tables);
        self.store_sources(&tables.sources)?;
        self.store_vlans(&tables.vlans);
        for (number, backend) in &tables.backends {
            changes.backends += usize::from(self.store_backend(*number, backend)?);
        }
        let mut regions = self.regions();
        let filter = filter(tables);
        self.widen_filter(&filter);
        changes.entries += self.store_entries(tables, &regions, key, |role| role != Role::Service)?;
        if !tables.slots.is_empty() {
            let memory = self.slots()?;
            for (service, wanted) in &tables.slots {
                changes.slots += self.store_slots(&memory, *service, wanted, &mut regions, tables)?;
            }
        }
        changes.entries += self.store_entries(tables, &regions, key, |role| role == Role::Service)?;
        changes.entries += self.remove_entries(tables, key);
        for (index, word) in filter.into_iter().enumerate() {
            self.filter.write(index, word);
        }
        let forgotten = self.forget_backends(tables);
        changes.backends += forgotten.len();
        ended.extend(forgotten);
        self.forget_flows(&ended)?;
        self.forget_sessions(&ended)?;
        Ok(changes)
    }

    /// The backends that stop serving their flows, by failing or by giving their number to another server. What was remembered
    /// of them must not be found when they are back.
    fn ended(&self, tables: &Tables) -> BTreeSet<BackendNumber> {
        let ends = |(number, wanted): (&BackendNumber, &Backend)| {
            let now = self.backend(*number);
            (now.serving != 0 && (!same_server(&now, wanted) || wanted.serving == 0)).then_some(*number)
        };
        tables.backends.iter().filter_map(ends).collect()
    }

    /// Sources come before the backends that name them. Those that are no longer named stay as they are, for packets on their way.
    fn store_sources(&self, sources: &[Source]) -> Result<(), Error> {
        let capacity = self.capacity.sources;
        if sources.len() > capacity as usize {
            return Err(Error::Full { table: "table of this node's addresses", capacity });
        }
        for (index, source) in sources.iter().enumerate() {
            let words: [u64; SOURCE_WORDS] = transmute!(*source);
            for (at, word) in words.into_iter().enumerate() {
                self.sources.write(index * SOURCE_WORDS + at, word);
            }
        }
        Ok(())
    }

    /// A VLAN interface is one word, which changes at once. One that is gone is forgotten, before its index is given to another.
    fn store_vlans(&self, vlans: &BTreeMap<u32, VlanInterface>) {
        for index in 0..VlanInterface::PLACES {
            let [word]: [u64; 1] = transmute!(vlans.get(&index).copied().unwrap_or_default());
            self.vlans.write(index as usize, word);
        }
    }

    /// The VLAN interfaces.
    pub(crate) fn stored_vlans(&self) -> BTreeMap<u32, VlanInterface> {
        let read = |index| (index, transmute!(self.vlans.read::<1>(index as usize)));
        let places = (0..VlanInterface::PLACES).map(read);
        places.filter(|(_, vlan)| *vlan != VlanInterface::default()).collect()
    }

    /// This node's own addresses, as far as there are any.
    pub(crate) fn stored_sources(&self) -> Vec<Source> {
        let read = |index| transmute!(self.sources.read::<SOURCE_WORDS>(index as usize * SOURCE_WORDS));
        (0..self.capacity.sources).map(read).take_while(|source: &Source| source.count != 0).collect()
    }

    /// The backend with this number, all zero if there is none.
    pub(crate) fn backend(&self, number: BackendNumber) -> Backend {
        transmute!(self.backends.read::<BACKEND_WORDS>(usize::from(number) * BACKEND_WORDS))
    }

    /// All backends.
    pub(crate) fn backends(&self) -> impl Iterator<Item = (BackendNumber, Backend)> {
        let numbers = (1..self.capacity.backends).filter_map(|number| BackendNumber::try_from(number).ok());
        numbers.map(|number| (number, self.backend(number))).filter(|(_, backend)| backend.service != 0)
    }

    /// Changes those slots of a service that differ, one store each. They start to move, and the service's lines say when, before
    /// the first of them does: what is unknown just then belongs to flows from before.
    fn store_slots(
        &mut self,
        memory: &Memory,
        service: ServiceIndex,
        wanted: &[BackendNumber],
        regions: &mut Regions,
        tables: &Tables,
    ) -> Result<usize, Error> {
        let now = monotonic_seconds();
        let (slots, placed) = regions.place(service, wanted.len(), self.capacity.slots)?;
        let serves = |number| {
            tables.backends.get(&number).is_some_and(|found| found.service == service && found.serving != 0)
        };
        let mut changes = Vec::new();
        let mut begins = false;
        for (index, to) in (slots.base()..).zip(wanted) {
            let slot = read_slot(memory, index);
            let next =
                if placed { Slot::settled(*to) } else { self.moves.change(index, slot, *to, serves, now) };
            if next != slot {
                begins |= next.previous != 0;
                changes.push((index, next));
            }
        }
        if begins {
            regions.moved.insert(service, now);
            let of_service =
                |(_, line): &(u32, Entry)| line.tag.role() == Some(Role::Service) && line.service == service;
            for (position, line) in DirectoryLines(&self.directory).entries().filter(of_service) {
                DirectoryLines(&self.directory).replace(position, &Entry { moved: now, ..line });
            }
        }
        for (index, slot) in &changes {
            write_slot(memory, *index, *slot);
        }
        Ok(changes.len())
    }

    /// The tables as they are: numbers of services and backends, and next hops; slots are left out.
    pub(crate) fn tables(&self) -> Tables {
        Tables {
            entries: DirectoryLines(&self.directory).entries().map(|(_, entry)| entry).collect(),
            backends: self.backends().collect(),
            sources: self.stored_sources(),
            vlans: self.stored_vlans(),
            slots: BTreeMap::new(),
        }
    }

    /// Stores a backend. One that is in use changes only its next hop, which is written aside and then switched to.
    ///
    /// A next hop that cannot be resolved any more stays as it was: packets that meet the backend before its slots have moved
    /// are more likely to arrive there than nowhere.
    fn store_backend(&mut self, number: BackendNumber, wanted: &Backend) -> Result<bool, Error> {
        if u32::from(number) >= self.capacity.backends {
            return Err(Error::Full { table: "table of backends", capacity: self.capacity.backends });
        }
        let at = usize::from(number) * BACKEND_WORDS;
        let now = self.backend(number);
        let same_server = same_server(&now, wanted);
        let resolved = wanted.next_hop().interface != 0;
        let hop = if same_server && !resolved { now.next_hop() } else { wanted.next_hop() };
        if same_server
            && hop == now.next_hop()
            && wanted.serving == now.serving
            && wanted.source == now.source
        {
            return Ok(false);
        }
        let mut next = *wanted;
        next.active_hop = if same_server { !now.active_hop & 1 } else { 0 };
        next.hops = if next.active_hop == 0 { [*hop, *now.next_hop()] } else { [*now.next_hop(), *hop] };
        let words: [u64; BACKEND_WORDS] = transmute!(next);
        for (index, word) in words.into_iter().enumerate() {
            if index != ACTIVE_HOP_AT {
                self.backends.write(at + index, word);
            }
        }
        if let Some(word) = words.get(ACTIVE_HOP_AT) {
            self.backends.write(at + ACTIVE_HOP_AT, *word);
        }
        Ok(true)
    }

    /// Empties the numbers that are not used any more.
    fn forget_backends(&mut self, tables: &Tables) -> Vec<BackendNumber> {
        let numbers = self.backends().map(|(number, _)| number);
        let forgotten: Vec<BackendNumber> =
            numbers.filter(|number| !tables.backends.contains_key(number)).collect();
        for number in &forgotten {
            for index in 0..BACKEND_WORDS {
                self.backends.write(usize::from(*number) * BACKEND_WORDS + index, 0);
            }
        }
        forgotten
    }

    /// Where the services that are in the directory have their slots now.
    pub(crate) fn regions(&self) -> Regions {
        let mut regions = Regions::default();
        for (_, line) in DirectoryLines(&self.directory).entries() {
            if line.tag.role() == Some(Role::Service) {
                regions.used.insert(line.service, line.slots);
                regions.moved.insert(line.service, line.moved);
                regions.taken.push(line.slots);
            }
        }
        regions
    }

    /// Lets packets by that the next tables know, beside those that these know.
    fn widen_filter(&self, next: &[u64]) {
        for (index, word) in next.iter().enumerate() {
            let [now] = self.filter.read::<1>(index);
            self.filter.write(index, now | word);
        }
    }

    /// Stores the lines of some roles.
    fn store_entries(
        &mut self,
        tables: &Tables,
        regions: &Regions,
        key: HashKey,
        is_meant: impl Fn(Role) -> bool,
    ) -> Result<usize, Error> {
        let mask = self.capacity.directory - 1;
        let mut lines = DirectoryLines(&self.directory);
        let mut changed = 0;
        let present: HashSet<Entry> = lines.entries().map(|(_, entry)| entry).collect();
        for entry in tables.entries.iter().filter(|entry| entry.tag.role().is_some_and(&is_meant)) {
            let mut entry = *entry;
            if entry.tag.role() == Some(Role::Service) {
                entry.slots = regions.used.get(&entry.service).copied().unwrap_or_default();
                entry.moved = regions.moved.get(&entry.service).copied().unwrap_or_default();
            }
            if !present.contains(&entry) {
                directory::insert(&mut lines, key, mask, &entry)
                    .map_err(|_| Error::Full { table: "directory", capacity: self.capacity.directory })?;
                changed += 1;
            }
        }
        Ok(changed)
    }

    /// Removes the lines that are not wanted any more.
    fn remove_entries(&mut self, tables: &Tables, key: HashKey) -> usize {
        let mask = self.capacity.directory - 1;
        let mut lines = DirectoryLines(&self.directory);
        let wanted: HashSet<(Address, Tag)> =
            tables.entries.iter().map(|entry| (entry.address, entry.tag)).collect();
        let present = lines.entries().map(|(_, line)| (line.address, line.tag));
        let unwanted: Vec<(Address, Tag)> = present.filter(|line| !wanted.contains(line)).collect();
        for (address, tag) in &unwanted {
            directory::remove(&mut lines, key, mask, *address, *tag);
        }
        unwanted.len()
    }
}

/// The words of the filters for these tables.
fn filter(tables: &Tables) -> Vec<u64> {
    let mut filter = vec![0; 2 * FILTER_WORDS as usize];
    for entry in &tables.entries {
        let place = entry.tag.role().and_then(|role| directory::filter_place(role, entry.address));
        if let Some((word, bit)) = place
            && let Some(word) = filter.get_mut(word as usize)
        {
            *word |= bit;
        }
    }
    filter
}

/// Whether two backends are the same server of the same service, wherever its packets go next.
fn same_server(one: &Backend, other: &Backend) -> bool {
    one.service == other.service && one.address == other.address && one.port == other.port
}

/// The regions of the slot array.
#[derive(Debug, Default)]
pub(crate) struct Regions {
    /// Which region a service uses.
    pub(crate) used: BTreeMap<ServiceIndex, Slots>,
    /// When slots of a service last began to move.
    moved: BTreeMap<ServiceIndex, u32>,
    /// Every region that packets may still be looking at.
    taken: Vec<Slots>,
}

impl Regions {
    /// The region of a service with `count` slots: the one it has, or a free one (and then true). The old one stays taken for
    /// now.
    fn place(&mut self, service: ServiceIndex, count: usize, capacity: u32) -> Result<(Slots, bool), Error> {
        let full = || Error::Full { table: "slot array", capacity };
        let count = u32::try_from(count).map_err(|_| full())?;
        if let Some(slots) = self.used.get(&service)
            && slots.count() == count
        {
            return Ok((*slots, false));
        }
        self.taken.sort_by_key(|slots| slots.base());
        let mut base = 0;
        for slots in &self.taken {
            if slots.base().saturating_sub(base) >= count {
                break;
            }
            base = base.max(slots.base() + slots.count());
        }
        if capacity.saturating_sub(base) < count {
            return Err(full());
        }
        let slots = Slots::new(base, count);
        self.used.insert(service, slots);
        self.taken.push(slots);
        Ok((slots, true))
    }
}
