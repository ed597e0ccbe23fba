//! The maps, whose names are those of their pins. Sizes here are placeholders: the loader sets them from the configuration.
//!
//! Those that user space changes while packets flow can be mapped into its memory, so that one slot or one word is one
//! store and a whole table costs no system calls.

#![expect(
    unsafe_code,
    reason = "the loader finds globals by unmangled names; the program is the only one that has them"
)]

use aya_ebpf::Global;
use aya_ebpf::bindings::BPF_F_MMAPABLE as MAPPABLE;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, PerCpuArray, ProgramArray};
use lightpath_abi::{
    Backend, BackendCounters, Entry, FILTER_WORDS, Flow, FlowTable, SESSION_WAYS, SESSION_WORDS,
    ServiceCounters, SlotPair, Source, VlanInterface,
};
use lightpath_core::{Budget, PLACES, Reason, ReplyKind};

/// [`lightpath_abi::Features`] of the configuration. Read-only once loaded, so the verifier drops what is off.
#[unsafe(no_mangle)]
pub static FEATURES: Global<u32> = Global::new(0);
/// Lines of [`DIRECTORY`] less one.
#[unsafe(no_mangle)]
pub static DIRECTORY_MASK: Global<u32> = Global::new(0);
/// See `Parameters::port_prefixes`.
#[unsafe(no_mangle)]
pub static PORT_PREFIXES: Global<u32> = Global::new(0);
/// Start of the flow hash.
#[unsafe(no_mangle)]
pub static HASH_START: Global<u64> = Global::new(0);
/// Multiplier of the flow hash.
#[unsafe(no_mangle)]
pub static HASH_MULTIPLIER: Global<u64> = Global::new(1);

/// Places of [`SESSIONS`] less one.
#[unsafe(no_mangle)]
pub static SESSION_MASK: Global<u32> = Global::new(0);
/// The lowest port that `fullnat` sends from.
#[unsafe(no_mangle)]
pub static SNAT_FIRST: Global<u32> = Global::new(0);
/// The highest.
#[unsafe(no_mangle)]
pub static SNAT_LAST: Global<u32> = Global::new(0);

/// Bloom filters of VIPs and of replying backends.
#[map]
pub static FILTER: Array<u64> = Array::with_max_entries(2 * FILTER_WORDS, MAPPABLE);

/// What addresses, ports and protocols mean.
#[map]
pub static DIRECTORY: Array<Entry> = Array::with_max_entries(1, MAPPABLE);

/// The slots of all services, one service after another.
#[map]
pub static SLOTS: Array<SlotPair> = Array::with_max_entries(1, MAPPABLE);

/// Backends by number.
#[map]
pub static BACKENDS: Array<Backend> = Array::with_max_entries(1, MAPPABLE);

/// Flows that moving slots have to remember.
#[map]
pub static FLOWS: Array<Flow> = Array::with_max_entries(FlowTable::Established.places(), MAPPABLE);

/// Flows of which moving slots have seen only the SYN.
#[map]
pub static HALF_OPEN: Array<Flow> = Array::with_max_entries(FlowTable::HalfOpen.places(), MAPPABLE);

/// Fragmented datagrams whose first fragment was seen.
#[map]
pub static FRAGMENTS: Array<Flow> = Array::with_max_entries(FlowTable::Fragments.places(), MAPPABLE);

/// Connections made straight to backends.
#[map]
pub static DIRECT: Array<Flow> = Array::with_max_entries(FlowTable::Direct.places(), MAPPABLE);

/// Whether there are any in [`DIRECT`]: 1 from the first on.
#[map]
pub static HAS_DIRECT: Array<u64> = Array::with_max_entries(1, MAPPABLE);

/// This node's own addresses that packets to backends may come from.
#[map]
pub static SOURCES: Array<Source> = Array::with_max_entries(1, MAPPABLE);

/// Flows of `fullnat`: words of [`lightpath_abi::Session`]s.
#[map]
pub static SESSIONS: Array<[u64; SESSION_WORDS]> = Array::with_max_entries(1, MAPPABLE);

/// Where clients' packets find them: words of [`lightpath_abi::SessionSet`]s.
#[map]
pub static SESSION_INDEX: Array<[u64; SESSION_WAYS]> = Array::with_max_entries(1, MAPPABLE);

/// The answer that this CPU is about to give, for the stage that gives it.
#[map]
pub static ANSWER: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// VLAN interfaces by index; the places of other interfaces are empty.
#[map]
pub static VLANS: Array<VlanInterface> = Array::with_max_entries(VlanInterface::PLACES, MAPPABLE);

/// What the fast path goes on to, by the number of the stage; behind them the fast path itself, for a program before it.
#[map]
pub static STAGES: ProgramArray = ProgramArray::with_max_entries(PLACES, 0);

/// What this CPU has sent of ICMP errors. It starts anew with each program.
#[map]
pub static ERRORS: PerCpuArray<Budget> = PerCpuArray::with_max_entries(1, 0);

/// Packets forwarded, by backend number.
#[map]
pub static BACKEND_COUNTERS: PerCpuArray<BackendCounters> = PerCpuArray::with_max_entries(1, 0);

/// Flows opened, by backend number. They are not with the packets: most packets open none, and need not make room for them.
#[map]
pub static NEW_FLOWS: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Packets dropped, by service index.
#[map]
pub static SERVICE_COUNTERS: PerCpuArray<ServiceCounters> = PerCpuArray::with_max_entries(1, 0);

/// Packets dropped, by reason.
#[map]
pub static REASONS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Reason::ROOM, 0);

/// Packets answered, by kind of answer.
#[map]
pub static REPLIES: PerCpuArray<u64> = PerCpuArray::with_max_entries(ReplyKind::ROOM, 0);
