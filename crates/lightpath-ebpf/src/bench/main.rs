//! Programs for measuring: what puts packets before the program under test, and the least that any program could cost.
//!
//! BPF_PROG_TEST_RUN repeats a program over one packet without restoring it, so a program that rewrites packets would measure
//! its own output from the second run on. [`packet_source`] restores the packet each time, makes it one of many flows and
//! tail-calls the program under test, which stays as it is.

#![no_std]
#![no_main]

use aya_ebpf::Global;
use aya_ebpf::bindings::xdp_action;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::{Array, PerCpuArray, ProgramArray};
use aya_ebpf::programs::XdpContext;

/// Bytes of a packet that are restored: all headers of every packet that is measured.
const RESTORED: usize = 64;
/// Where in an IPv4 or IPv6 packet its source address ends and its source port begins, without options.
const V4: (usize, usize) = (28, 34);
const V6: (usize, usize) = (36, 54);

/// Flows less one; a power of two less one.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the loader finds globals by unmangled names")]
static FLOW_MASK: Global<u32> = Global::new(0);

/// The packet as it is restored.
#[map]
static TEMPLATE: Array<[u64; RESTORED / 8]> = Array::with_max_entries(1, 0);

/// The state of the pseudo-random order of flows.
#[map]
static ORDER: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);

/// The program under test.
#[map]
static UNDER_TEST: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// Restores the packet as one of the flows and goes on to the program under test.
#[xdp]
pub fn packet_source(context: XdpContext) -> u32 {
    let start = context.data();
    if start + RESTORED > context.data_end() {
        return xdp_action::XDP_ABORTED;
    }
    let (Some(template), Some(order)) = (TEMPLATE.get(0), ORDER.get_ptr_mut(0)) else {
        return xdp_action::XDP_ABORTED;
    };
    // SAFETY: this CPU's own value of a map that only this program writes.
    #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
    let order = unsafe { &mut *order };
    // A full-period congruential generator (Knuth and Lewis, in "Numerical Recipes"), so that every flow has its turn.
    *order = order.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    let flow = (*order >> 8) & FLOW_MASK.load();

    for (index, word) in template.iter().enumerate() {
        put(start, index * 8, *word);
    }
    // EtherType, source address and source port follow each other in both families.
    let [_, ether_type, ..] = template;
    let (address_end, port) = if ether_type >> 32 & 0xff == 0x08 { V4 } else { V6 };
    put(start, address_end, (flow >> 8) as u16);
    put(start, port, (flow as u8 as u16).to_be() | 0x40);
    // SAFETY: on success the call does not return.
    #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
    let _ = unsafe { UNDER_TEST.tail_call(&context, 0) };
    xdp_action::XDP_ABORTED
}

/// Stores a number within the checked part of the packet.
#[inline(always)]
fn put<T>(start: usize, offset: usize, value: T) {
    // SAFETY: the caller found the bytes at these constant offsets to be within the packet.
    #[expect(unsafe_code, reason = "packet memory is raw")]
    unsafe {
        ((start + offset) as *mut T).write_unaligned(value);
    }
}

/// Loads a number from within the checked part of the packet.
#[inline(always)]
fn get<T: Copy>(start: usize, offset: usize) -> T {
    // SAFETY: as in `put`; every byte pattern is a number.
    #[expect(unsafe_code, reason = "packet memory is raw")]
    unsafe {
        ((start + offset) as *const T).read_unaligned()
    }
}

/// Swaps the MAC addresses and transmits: no program that forwards can cost less.
#[xdp]
pub fn floor(context: XdpContext) -> u32 {
    let start = context.data();
    if start + 12 > context.data_end() {
        return xdp_action::XDP_DROP;
    }
    // In words, as the two addresses lie: six bytes each, the second across both words.
    let (first, second): (u64, u32) = (get(start, 0), get(start, 8));
    let (destination, source) = (first & 0xffff_ffff_ffff, first >> 48 | u64::from(second) << 16);
    put(start, 0, source | destination << 48);
    put(start, 8, (destination >> 16) as u32);
    xdp_action::XDP_TX
}

/// The kernel takes programs of any licence that call no restricted helper.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the loader finds the licence by its section and name")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
