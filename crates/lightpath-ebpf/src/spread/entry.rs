//! What runs on the CPU that the network card has interrupted: it gives packets away.

#![expect(
    unsafe_code,
    reason = "map values are reached through raw pointers, and globals found by unmangled names"
)]

use aya_ebpf::Global;
use aya_ebpf::bindings::xdp_action;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::{Array, CpuMap, PerCpuArray};
use aya_ebpf::programs::XdpContext;
use lightpath_core::spread;

use crate::packet::XdpPacket;
use crate::tables::MapTables;

/// How many CPUs packets are spread over.
#[unsafe(no_mangle)]
static SPREAD_COUNT: Global<u32> = Global::new(0);

/// Which ones: their numbers, in a row.
#[map]
static SPREAD_OVER: Array<u32> = Array::with_max_entries(1, 0);

/// The queue of each CPU, by its number, and the program that takes packets from it.
#[map]
static SPREAD_QUEUES: CpuMap = CpuMap::with_max_entries(1, 0);

/// Packets that this CPU has given to each other, by its number.
#[map]
static SPREAD_GIVEN: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Packets that this CPU has taken from its queue.
#[map]
static SPREAD_TAKEN: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Gives a packet to the CPU of its flow; one that is nobody's stays, for the kernel.
#[xdp(frags)]
#[inline(always)]
pub fn lightpath_spread(context: XdpContext) -> u32 {
    let Some(hash) = spread(&XdpPacket::<false>::new(&context), &MapTables) else {
        return xdp_action::XDP_PASS;
    };
    let Some(cpu) = SPREAD_OVER.get(hash.cpu(SPREAD_COUNT.load())) else {
        return xdp_action::XDP_PASS;
    };
    count(&SPREAD_GIVEN, *cpu);
    // The queue is joined after this program has ended. If it is full then, the kernel drops the packet and tells only those who trace
    // it, so what was given and not taken is all that can be known here.
    SPREAD_QUEUES.redirect(*cpu, xdp_action::XDP_PASS.into()).unwrap_or_else(|action| action)
}

/// Counts a packet that was taken from this CPU's queue.
#[inline(always)]
pub fn taken() {
    count(&SPREAD_TAKEN, 0);
}

#[inline(always)]
fn count(counts: &PerCpuArray<u64>, index: u32) {
    if let Some(count) = counts.get_ptr_mut(index) {
        // SAFETY: the map's value for this CPU, which only this CPU writes, and a program is not preempted by another run of itself
        // on its CPU.
        unsafe {
            *count += 1;
        }
    }
}
