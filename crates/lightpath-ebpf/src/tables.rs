//! The packet path's tables and counters over BPF maps.

use aya_ebpf::helpers::generated::bpf_ktime_get_coarse_ns;
use aya_ebpf::maps::Array;
use lightpath_abi::{
    Backend, BackendNumber, Entry, Features, Flow, FlowTable, Pointer, ServiceIndex, Session, SessionSet,
    Slot, Source, VlanInterface, Word,
};
use lightpath_core::directory::RangeQuery;
use lightpath_core::{
    Counters, Direction, HashKey, Parameters, Passing, PortPool, Reason, ReplyKind, Sighting, Tables, count,
};

use crate::{atomic, maps, observer, outline};

/// The maps.
pub struct MapTables;

impl Tables for MapTables {
    #[inline(always)]
    fn parameters(&self) -> Parameters {
        Parameters {
            features: Features(maps::FEATURES.load()),
            directory_mask: maps::DIRECTORY_MASK.load(),
            port_prefixes: maps::PORT_PREFIXES.load(),
            hash_key: HashKey { start: maps::HASH_START.load(), multiplier: maps::HASH_MULTIPLIER.load() },
            session_mask: maps::SESSION_MASK.load(),
            snat_ports: PortPool {
                first: maps::SNAT_FIRST.load() as u16,
                last: maps::SNAT_LAST.load() as u16,
            },
        }
    }

    #[inline(always)]
    fn filter(&self, index: u32) -> u64 {
        maps::FILTER.get(index).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn entry(&self, index: u32) -> Option<&Entry> {
        maps::DIRECTORY.get(index)
    }

    #[inline(always)]
    fn slot(&self, index: u32) -> Option<Slot> {
        Some(maps::SLOTS.get(index >> 1)?.slot(index))
    }

    #[inline(always)]
    fn backend(&self, number: BackendNumber) -> Option<&Backend> {
        maps::BACKENDS.get(u32::from(number))
    }

    #[inline(always)]
    fn source(&self, index: u32) -> Option<&Source> {
        maps::SOURCES.get(index)
    }

    #[inline(always)]
    fn vlan_interface(&self, index: u32) -> VlanInterface {
        maps::VLANS.get(index).copied().unwrap_or(VlanInterface::KERNELS)
    }

    #[inline(always)]
    fn now(&self) -> u32 {
        // SAFETY: the helper takes nothing and answers with a number.
        #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
        let nanoseconds = unsafe { bpf_ktime_get_coarse_ns() };
        (nanoseconds / 1_000_000_000) as u32
    }

    #[inline(always)]
    fn flow(&self, table: FlowTable, place: u32) -> Option<Flow> {
        flows(table).get(place).copied()
    }

    #[inline(always)]
    fn remember(&self, table: FlowTable, place: u32, flow: Flow) {
        if let Some(there) = flows(table).get_ptr_mut(place) {
            // SAFETY: a value of the map. Packets of one flow meet on one CPU, and of two flows that want one place at one moment
            // either may win.
            #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
            unsafe {
                *there = flow;
            }
        }
    }

    #[inline(always)]
    fn has_direct(&self) -> bool {
        maps::HAS_DIRECT.get(0).is_some_and(|there| *there != 0)
    }

    #[inline(always)]
    fn set_direct(&self) {
        if let Some(there) = maps::HAS_DIRECT.get_ptr_mut(0) {
            // SAFETY: a value of the map, into which everybody stores the same.
            #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
            unsafe {
                *there = 1;
            }
        }
    }

    #[inline(always)]
    fn notice(&self, packet: &Passing) {
        outline::notice(packet);
    }

    #[inline(always)]
    fn is_noticed(&self, key: u64) -> bool {
        outline::is_noticed(key)
    }

    #[inline(always)]
    fn search_ranges(&self, query: &RangeQuery) -> Option<u32> {
        outline::search_ranges(query)
    }

    #[inline(always)]
    fn follow(&self, packet: &Sighting) -> BackendNumber {
        outline::follow(packet)
    }

    #[inline(always)]
    fn session(&self, place: u32) -> Option<&Session> {
        let words = maps::SESSIONS.get_ptr(place)?.cast::<Session>();
        // SAFETY: a value of the map, which is there as long as the program is. A session is words that anyone may change, and
        // of the same size.
        #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
        Some(unsafe { &*words })
    }

    #[inline(always)]
    fn session_set(&self, index: u32) -> Option<&SessionSet> {
        let words = maps::SESSION_INDEX.get_ptr(index)?.cast::<SessionSet>();
        // SAFETY: as in `session`.
        #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
        Some(unsafe { &*words })
    }

    #[inline(always)]
    fn claim(&self, word: &Word, old: u64, new: u64) -> bool {
        atomic::compare_and_swap(word, old, new)
    }

    #[inline(always)]
    fn has_session(&self, query: &RangeQuery) -> bool {
        outline::has_session(query)
    }

    #[inline(always)]
    fn set_answer(&self, word: u64) {
        if let Some(answer) = maps::ANSWER.get_ptr_mut(0) {
            // SAFETY: as in `forwarded`.
            #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
            unsafe {
                *answer = word;
            }
        }
    }

    #[inline(always)]
    fn answer(&self) -> Option<u64> {
        maps::ANSWER.get(0).copied()
    }

    #[inline(always)]
    fn leads(&self, pointer: Pointer) -> bool {
        outline::leads(pointer)
    }

    #[inline(always)]
    fn take(&self, key: u32) -> bool {
        outline::take(key)
    }
}

#[inline(always)]
fn flows(table: FlowTable) -> &'static Array<Flow> {
    match table {
        FlowTable::Established => &maps::FLOWS,
        FlowTable::HalfOpen => &maps::HALF_OPEN,
        FlowTable::Fragments => &maps::FRAGMENTS,
        FlowTable::Direct => &maps::DIRECT,
    }
}

impl Counters for MapTables {
    #[inline(always)]
    fn forwarded(&self, direction: Direction, backend: BackendNumber, bytes: usize) {
        observer::forwarded(direction, backend);
        let Some(counters) = maps::BACKEND_COUNTERS.get_ptr_mut(u32::from(backend)) else {
            return;
        };
        // SAFETY: the map's value for this CPU, which only this CPU writes, and a program is not preempted by another run
        // of itself on its CPU.
        #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
        let counters = unsafe { &mut *counters };
        count(counters, direction, bytes);
    }

    #[inline(always)]
    fn opened(&self, backend: BackendNumber) {
        if let Some(count) = maps::NEW_FLOWS.get_ptr_mut(u32::from(backend)) {
            // SAFETY: as in `forwarded`.
            #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
            unsafe {
                *count += 1;
            }
        }
    }

    #[inline(always)]
    fn replied(&self, kind: ReplyKind) {
        observer::answered(kind);
        if let Some(count) = maps::REPLIES.get_ptr_mut(kind.number()) {
            // SAFETY: as in `forwarded`.
            #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
            unsafe {
                *count += 1;
            }
        }
    }

    #[inline(always)]
    fn permits_error(&self) -> bool {
        let Some(budget) = maps::ERRORS.get_ptr_mut(0) else {
            return false;
        };
        // SAFETY: as in `forwarded`.
        #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
        let budget = unsafe { &mut *budget };
        budget.permits(self.now())
    }

    #[inline(always)]
    fn dropped(&self, reason: Reason, service: ServiceIndex) {
        observer::dropped(reason, service);
        if let Some(count) = maps::REASONS.get_ptr_mut(reason as u32) {
            // SAFETY: as in `forwarded`.
            #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
            unsafe {
                *count += 1;
            }
        }
        if let Some(counters) = maps::SERVICE_COUNTERS.get_ptr_mut(u32::from(service)) {
            // SAFETY: as in `forwarded`.
            #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
            unsafe {
                (*counters).dropped += 1;
            }
        }
    }
}
