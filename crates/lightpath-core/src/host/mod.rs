//! The packet path's tables in ordinary memory, for tests, for `explain` and for the simulator.

extern crate std;

mod buffer;
mod moves;
mod tunnel_end;

use core::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use lightpath_abi::{
    Backend, BackendCounters, BackendNumber, Entry, FILTER_WORDS, Flow, FlowTable, Pointer, Role,
    ServiceIndex, Session, SessionSet, Slot, Slots, Source, VlanInterface, Word,
};

use crate::directory::{self, Full, Lines, RangeQuery, search_ranges};
use crate::{
    Budget, Counters, Direction, Parameters, Passing, Reason, ReplyKind, Route, RouteQuery, Routes, Sighting,
    Tables, count, follow, has_session, is_noticed, is_over, is_served_by, leads, notice, take,
};
pub use buffer::Buffer;
pub use moves::{Moves, is_fresh};
pub use tunnel_end::{HostTunnelEnd, Unwrapped};

/// Everything the packet path looks up, as plain data: what the controller wants and what the data plane is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The directory. A service's `slots` are filled in by whoever places them.
    pub entries: Vec<Entry>,
    /// Backends by number; of the next hops the active one counts.
    pub backends: BTreeMap<BackendNumber, Backend>,
    /// This node's own addresses that packets to backends may come from; backends name them by their place here.
    pub sources: Vec<Source>,
    /// The VLAN interfaces of this node, by index.
    pub vlans: BTreeMap<u32, VlanInterface>,
    /// The backend of each slot, for the services whose slots are to change.
    pub slots: BTreeMap<ServiceIndex, Vec<BackendNumber>>,
}

/// What an [`Image`] changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Lines of the directory added, changed or removed.
    pub entries: usize,
    /// Backends added, changed or removed.
    pub backends: usize,
    /// Slots that name another backend than before.
    pub slots: usize,
}

/// Tables and counters in ordinary memory.
#[derive(Clone, Debug)]
pub struct HostTables {
    parameters: Parameters,
    filter: Vec<u64>,
    directory: Vec<Entry>,
    slots: Vec<Slot>,
    backends: BTreeMap<BackendNumber, Backend>,
    sources: Vec<Source>,
    vlans: BTreeMap<u32, VlanInterface>,
    /// What this node's routing says, whatever is asked.
    pub route: Cell<Route>,
    /// What was sent of ICMP errors; the default allows for a second's.
    pub errors: Cell<Budget>,
    /// Seconds of the clock.
    pub now: u32,
    direct: Cell<bool>,
    flows: RefCell<[Vec<Flow>; FlowTable::ALL.len()]>,
    sessions: Vec<Session>,
    session_sets: Vec<SessionSet>,
    answer: Cell<u64>,
    counted: RefCell<Counted>,
}

/// All that tables hold, as it lies.
#[derive(Clone, Debug)]
pub struct Contents {
    /// What was fixed when the program was loaded.
    pub parameters: Parameters,
    /// Words of both Bloom filters.
    pub filter: Vec<u64>,
    /// Lines of the directory.
    pub directory: Vec<Entry>,
    /// The array of all slots.
    pub slots: Vec<Slot>,
    /// Backends by number.
    pub backends: BTreeMap<BackendNumber, Backend>,
    /// This node's own addresses.
    pub sources: Vec<Source>,
    /// VLAN interfaces by index.
    pub vlans: BTreeMap<u32, VlanInterface>,
    /// The flow tables, in the order of `FlowTable::ALL`.
    pub flows: [Vec<Flow>; FlowTable::ALL.len()],
    /// Whether connections made straight to backends are remembered.
    pub direct: bool,
    /// Sessions of `fullnat`.
    pub sessions: Vec<Session>,
    /// Their index.
    pub session_sets: Vec<SessionSet>,
}

/// What the packet path counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Packets to and from backends.
    pub backends: BTreeMap<BackendNumber, BackendCounters>,
    /// Flows that were opened to backends.
    pub new_flows: BTreeMap<BackendNumber, u64>,
    /// Packets dropped, by service.
    pub services: BTreeMap<ServiceIndex, u64>,
    /// Packets dropped, by reason.
    pub reasons: [u64; Reason::ALL.len()],
    /// Packets answered, by kind of answer.
    pub replies: [u64; ReplyKind::NAMES.len()],
}

impl HostTables {
    /// Tables with these contents; each service's `slots` are placed here. The directory has as many lines as the
    /// parameters' mask says.
    pub fn new(parameters: Parameters, image: &Image) -> Result<Self, Full> {
        let Image { entries, backends, sources, vlans, slots } = image;
        let sessions = parameters.session_mask + 1;
        let mut tables = Self {
            parameters,
            filter: vec![0; 2 * FILTER_WORDS as usize],
            directory: vec![Entry::default(); parameters.directory_mask as usize + 1],
            slots: Vec::new(),
            backends: backends.clone(),
            sources: sources.clone(),
            vlans: vlans.clone(),
            route: Cell::new(Route::NotForwarded),
            errors: Cell::default(),
            now: 0,
            direct: Cell::new(false),
            flows: RefCell::new(FlowTable::ALL.map(|table| vec![Flow::default(); table.places() as usize])),
            sessions: vec![Session::default(); sessions as usize],
            session_sets: vec![SessionSet::default(); SessionSet::count(sessions) as usize],
            answer: Cell::default(),
            counted: RefCell::default(),
        };
        let mut regions = BTreeMap::new();
        for (service, wanted) in slots {
            let base = u32::try_from(tables.slots.len()).map_err(|_| Full)?;
            let count = u32::try_from(wanted.len()).map_err(|_| Full)?;
            regions.insert(*service, Slots::new(base, count));
            tables.slots.extend(wanted.iter().copied().map(Slot::settled));
        }
        for entry in entries {
            let mut entry = *entry;
            let Some(role) = entry.tag.role() else { continue };
            if role == Role::Service {
                entry.slots = regions.get(&entry.service).copied().unwrap_or_default();
            }
            if let Some((word, bit)) = directory::filter_place(role, entry.address)
                && let Some(word) = tables.filter.get_mut(word as usize)
            {
                *word |= bit;
            }
            directory::insert(&mut tables.directory, parameters.hash_key, parameters.directory_mask, &entry)?;
        }
        Ok(tables)
    }

    /// A copy of tables that are in use, with the routing's answer and the time left open.
    #[must_use]
    pub fn copy(contents: Contents) -> Self {
        let Contents {
            parameters,
            filter,
            directory,
            slots,
            backends,
            sources,
            vlans,
            flows,
            direct,
            sessions,
            session_sets,
        } = contents;
        Self {
            parameters,
            filter,
            directory,
            slots,
            backends,
            sources,
            vlans,
            route: Cell::new(Route::Unresolved),
            errors: Cell::default(),
            now: 0,
            direct: Cell::new(direct),
            flows: RefCell::new(flows),
            sessions,
            session_sets,
            answer: Cell::default(),
            counted: RefCell::default(),
        }
    }

    /// Changes the slots of a service that has as many, as a data plane does while packets flow.
    pub fn change_slots(&mut self, service: ServiceIndex, wanted: &[BackendNumber], moves: &mut Moves) {
        let region = self
            .directory
            .iter()
            .find(|line| line.tag.role() == Some(Role::Service) && line.service == service);
        let base = region.map_or(0, |line| line.slots.base());
        let mut begun = false;
        for (index, to) in (base..).zip(wanted) {
            let Some(slot) = self.slots.get_mut(index as usize) else { continue };
            let serves = |number| {
                self.backends.get(&number).is_some_and(|found| found.service == service && found.serving != 0)
            };
            let changed = moves.change(index, *slot, *to, serves, self.now);
            begun |= changed.current != slot.current;
            *slot = changed;
        }
        for line in &mut self.directory {
            if begun && line.tag.role() == Some(Role::Service) && line.service == service {
                line.moved = self.now;
            }
        }
    }

    /// Settles what may settle.
    pub fn settle(&mut self, moves: &mut Moves) {
        let moving = (0..).zip(&self.slots).filter(|(_, slot)| slot.previous != 0);
        let moving: BTreeMap<u32, Slot> = moving.map(|(index, slot)| (index, *slot)).collect();
        let serving = |number| self.backends.get(&number).is_some_and(|backend| backend.serving != 0);
        let [established, ..] = &*self.flows.borrow();
        let remembered = established.iter().copied();
        let fresh = remembered.filter(|flow| is_fresh(flow, self.now) && serving(flow.backend));
        for index in moves.settling(&moving, fresh, self.now) {
            if let Some(slot) = self.slots.get_mut(index as usize) {
                slot.previous = 0;
            }
        }
    }

    /// The backends, to be changed.
    pub fn backends_mut(&mut self) -> &mut BTreeMap<BackendNumber, Backend> {
        &mut self.backends
    }

    /// The sessions of flows that live.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(|session| {
            let backend = self.backends.get(&session.number());
            let served = backend.is_some_and(|backend| is_served_by(session, backend));
            session.claim.load() != 0 && served && !is_over(session, self.now)
        })
    }

    /// Counts from 0 again.
    pub fn clear_counted(&self) {
        *self.counted.borrow_mut() = Counted::default();
    }

    /// What was counted so far.
    #[must_use]
    pub fn counted(&self) -> Counted {
        self.counted.borrow().clone()
    }
}

impl Lines for Vec<Entry> {
    fn line(&self, position: u32) -> Entry {
        self.get(position as usize).copied().unwrap_or_default()
    }

    fn replace(&mut self, position: u32, entry: &Entry) {
        if let Some(line) = self.get_mut(position as usize) {
            *line = *entry;
        }
    }
}

impl Tables for HostTables {
    fn parameters(&self) -> Parameters {
        self.parameters
    }

    fn filter(&self, index: u32) -> u64 {
        self.filter.get(index as usize).copied().unwrap_or(0)
    }

    fn entry(&self, index: u32) -> Option<&Entry> {
        self.directory.get(index as usize)
    }

    fn slot(&self, index: u32) -> Option<Slot> {
        self.slots.get(index as usize).copied()
    }

    fn backend(&self, number: BackendNumber) -> Option<&Backend> {
        self.backends.get(&number)
    }

    fn source(&self, index: u32) -> Option<&Source> {
        self.sources.get(index as usize)
    }

    fn vlan_interface(&self, index: u32) -> VlanInterface {
        if index < VlanInterface::PLACES {
            self.vlans.get(&index).copied().unwrap_or_default()
        } else {
            VlanInterface::KERNELS
        }
    }

    fn now(&self) -> u32 {
        self.now
    }

    fn flow(&self, table: FlowTable, place: u32) -> Option<Flow> {
        self.flows.borrow().get(table as usize)?.get(place as usize).copied()
    }

    fn remember(&self, table: FlowTable, place: u32, flow: Flow) {
        let mut flows = self.flows.borrow_mut();
        if let Some(there) = flows.get_mut(table as usize).and_then(|table| table.get_mut(place as usize)) {
            *there = flow;
        }
    }

    fn has_direct(&self) -> bool {
        self.direct.get()
    }

    fn set_direct(&self) {
        self.direct.set(true);
    }

    fn notice(&self, packet: &Passing) {
        notice(packet, self);
    }

    fn is_noticed(&self, key: u64) -> bool {
        is_noticed(key, self)
    }

    fn search_ranges(&self, query: &RangeQuery) -> Option<u32> {
        search_ranges(query, self)
    }

    fn follow(&self, packet: &Sighting) -> BackendNumber {
        follow(packet, self)
    }

    fn session(&self, place: u32) -> Option<&Session> {
        self.sessions.get(place as usize)
    }

    fn session_set(&self, index: u32) -> Option<&SessionSet> {
        self.session_sets.get(index as usize)
    }

    fn claim(&self, word: &Word, old: u64, new: u64) -> bool {
        word.exchange(old, new)
    }

    fn has_session(&self, query: &RangeQuery) -> bool {
        has_session(query, self)
    }

    fn set_answer(&self, word: u64) {
        self.answer.set(word);
    }

    fn answer(&self) -> Option<u64> {
        Some(self.answer.get())
    }

    fn leads(&self, pointer: Pointer) -> bool {
        leads(pointer, self)
    }

    fn take(&self, key: u32) -> bool {
        take(key, self)
    }
}

impl Routes for HostTables {
    fn route(&self, _query: &RouteQuery) -> Route {
        self.route.get()
    }
}

impl Counters for HostTables {
    fn forwarded(&self, direction: Direction, backend: BackendNumber, bytes: usize) {
        let mut counted = self.counted.borrow_mut();
        let counters = counted.backends.entry(backend).or_default();
        count(counters, direction, bytes);
    }

    fn opened(&self, backend: BackendNumber) {
        *self.counted.borrow_mut().new_flows.entry(backend).or_default() += 1;
    }

    fn replied(&self, kind: ReplyKind) {
        let mut counted = self.counted.borrow_mut();
        if let Some(count) = counted.replies.get_mut(kind.number() as usize) {
            *count += 1;
        }
    }

    fn permits_error(&self) -> bool {
        let mut budget = self.errors.get();
        let permits = budget.permits(self.now);
        self.errors.set(budget);
        permits
    }

    fn dropped(&self, reason: Reason, service: ServiceIndex) {
        let mut counted = self.counted.borrow_mut();
        if let Some(count) = counted.reasons.get_mut(reason as usize) {
            *count += 1;
        }
        *counted.services.entry(service).or_default() += 1;
    }
}
