//! Programs for measuring: what puts packets before the program under test, and the least that any program could cost.
//!
//! BPF_PROG_TEST_RUN repeats a program over one packet without restoring it, so a program that rewrites packets would measure
//! its own output from the second run on. [`packet_source_v4`] restores the packet each time, makes it one of many flows and
//! tail-calls the program under test, which stays as it is.

#![no_std]
#![no_main]

use aya_ebpf::Global;
use aya_ebpf::bindings::xdp_action;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::{Array, PerCpuArray, ProgramArray};
use aya_ebpf::programs::XdpContext;

/// Bytes of a packet that are restored: everything that the packet path reads of it but, in IPv6, TCP's checksum.
const RESTORED: usize = 64;

/// Flows less one; a power of two less one.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the loader finds globals by unmangled names")]
static FLOW_MASK: Global<u32> = Global::new(0);

/// The packet as it is restored.
#[map]
static TEMPLATE: Array<[u8; RESTORED]> = Array::with_max_entries(1, 0);

/// The state of the pseudo-random order of flows.
#[map]
static ORDER: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);

/// The program under test.
#[map]
static UNDER_TEST: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// Restores an IPv4 packet as one of the flows and goes on to the program under test.
///
/// It writes in the units in which headers are read. A load that spans two recent stores has to wait for both, and no packet
/// that a card has written makes a program wait like that.
#[xdp(frags)]
pub fn packet_source_v4(context: XdpContext) -> u32 {
    let Some((start, template, flow)) = prepare(&context) else {
        return xdp_action::XDP_ABORTED;
    };
    copy::<u64>(start, template, 0);
    copy::<u32>(start, template, 8);
    copy::<u16>(start, template, 12);
    for offset in (14..62).step_by(4) {
        copy::<u32>(start, template, offset);
    }
    copy::<u16>(start, template, 62);
    let (source, ports): (u32, u32) = (get(template, 26), get(template, 34));
    put(start, 26, source ^ flow << 16);
    put(start, 34, ports ^ flow >> 16);
    test(&context)
}

/// Restores an IPv6 packet likewise.
#[xdp(frags)]
pub fn packet_source_v6(context: XdpContext) -> u32 {
    let Some((start, template, flow)) = prepare(&context) else {
        return xdp_action::XDP_ABORTED;
    };
    copy::<u64>(start, template, 0);
    copy::<u32>(start, template, 8);
    copy::<u16>(start, template, 12);
    for offset in (14..54).step_by(8) {
        copy::<u64>(start, template, offset);
    }
    copy::<u32>(start, template, 58);
    copy::<u16>(start, template, 62);
    let (source, ports): (u64, u32) = (get(template, 30), get(template, 54));
    put(start, 30, source ^ u64::from(flow) << 48);
    put(start, 54, ports ^ flow >> 16);
    test(&context)
}

/// The addresses of the packet and of its template, and the number of the flow that has its turn.
#[inline(always)]
fn prepare(context: &XdpContext) -> Option<(usize, usize, u32)> {
    let start = context.data();
    if start + RESTORED > context.data_end() {
        return None;
    }
    let template = TEMPLATE.get_ptr(0)? as usize;
    // SAFETY: this CPU's own value of a map that only these programs write.
    #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
    let order = unsafe { &mut *ORDER.get_ptr_mut(0)? };
    // A congruential generator of full period, so that every flow has its turn, in no order that a cache could guess.
    *order = order.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    Some((start, template, (*order >> 8) & FLOW_MASK.load()))
}

#[inline(always)]
fn test(context: &XdpContext) -> u32 {
    // SAFETY: on success the call does not return.
    #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
    unsafe {
        UNDER_TEST.tail_call(context, 0);
    }
    xdp_action::XDP_ABORTED
}

#[inline(always)]
fn copy<T: Copy>(start: usize, template: usize, offset: usize) {
    put::<T>(start, offset, get(template, offset));
}

/// Stores a number within a checked part of memory.
#[inline(always)]
fn put<T>(start: usize, offset: usize, value: T) {
    // SAFETY: the caller found the bytes at these constant offsets to be within the packet or the template.
    #[expect(unsafe_code, reason = "packet memory is raw")]
    unsafe {
        ((start + offset) as *mut T).write_unaligned(value);
    }
}

/// Loads a number from within a checked part of memory.
#[inline(always)]
fn get<T: Copy>(start: usize, offset: usize) -> T {
    // SAFETY: as in `put`; every byte pattern is a number.
    #[expect(unsafe_code, reason = "packet memory is raw")]
    unsafe {
        ((start + offset) as *const T).read_unaligned()
    }
}

/// Swaps the MAC addresses and transmits: no program that forwards can cost less.
#[xdp(frags)]
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
