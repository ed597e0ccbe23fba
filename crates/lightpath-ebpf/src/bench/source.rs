//! Packet sources: they restore a packet, make it one of many flows, and go on to the program under test.

use core::hint::black_box;

use aya_ebpf::Global;
use aya_ebpf::bindings::xdp_action;
use aya_ebpf::helpers::generated::{bpf_xdp_adjust_head, bpf_xdp_adjust_tail};
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::{Array, PerCpuArray, ProgramArray};
use aya_ebpf::programs::XdpContext;

use crate::memory::{copy, get, put};

/// Bytes of a packet that are restored: everything that the packet path reads of it but, in IPv6, TCP's checksum.
pub const RESTORED: usize = 64;

/// Flows less one; a power of two less one.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the loader finds globals by unmangled names")]
static FLOW_MASK: Global<u32> = Global::new(0);

/// Bytes of the packet. What a program has put before it is taken off again, and what one has cut off behind is put back.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the loader finds globals by unmangled names")]
static LENGTH: Global<u32> = Global::new(0);

/// 1 where flows differ in the destination, as replies do; 0 where they differ in the source.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the loader finds globals by unmangled names")]
static BY_DESTINATION: Global<u32> = Global::new(0);

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
    restore_v4(start, template);
    if BY_DESTINATION.load() == 0 {
        let (address, ports): (u32, u32) = (get(template, 26), get(template, 34));
        put(start, 26, address ^ flow << 16);
        put(start, 34, ports ^ flow >> 16);
    } else {
        let (address, ports): (u32, u32) = (get(template, 30), get(template, 34));
        put(start, 30, address ^ flow << 16);
        put(start, 34, ports ^ flow & 0xffff_0000);
    }
    test(&context)
}

/// Writes an IPv4 packet's bytes again.
#[inline(always)]
pub fn restore_v4(start: usize, template: usize) {
    copy::<u64>(start, template, 0);
    copy::<u32>(start, template, 8);
    copy::<u16>(start, template, 12);
    for offset in (14..62).step_by(4) {
        copy::<u32>(start, template, offset);
    }
    copy::<u16>(start, template, 62);
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
    if BY_DESTINATION.load() == 0 {
        let (address, ports): (u64, u32) = (get(template, 30), get(template, 54));
        put(start, 30, address ^ u64::from(flow) << 48);
        put(start, 54, ports ^ flow >> 16);
    } else {
        let (address, ports): (u64, u32) = (get(template, 46), get(template, 54));
        put(start, 46, address ^ u64::from(flow) << 48);
        put(start, 54, ports ^ flow & 0xffff_0000);
    }
    test(&context)
}

/// The addresses of the packet and of its template, and the number of the flow that has its turn.
#[inline(always)]
fn prepare(context: &XdpContext) -> Option<(usize, usize, u32)> {
    // Addresses may be subtracted from each other, and nothing else: the compiler must not put off their difference.
    let length = black_box(context.data_end() - context.data()) as i32;
    let added = length - LENGTH.load() as i32;
    if added > 0 {
        // SAFETY: the helper moves the packet's start within its buffer, or refuses; addresses are taken afterwards.
        #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
        let refused = unsafe { bpf_xdp_adjust_head(context.ctx, added) };
        if refused != 0 {
            return None;
        }
    } else if added < 0 {
        // SAFETY: the same for its end.
        #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
        let refused = unsafe { bpf_xdp_adjust_tail(context.ctx, -added) };
        if refused != 0 {
            return None;
        }
    }
    let start = context.data();
    if start + RESTORED > context.data_end() {
        return None;
    }
    Some((start, template()?, next()? & FLOW_MASK.load()))
}

/// The address of the packet as it is restored.
#[inline(always)]
pub fn template() -> Option<usize> {
    Some(TEMPLATE.get_ptr(0)? as usize)
}

/// The next of 2^24 numbers. The generator is a congruential one of full period, so that every number has its turn, in no order
/// that a cache could guess.
#[inline(always)]
pub fn next() -> Option<u32> {
    // SAFETY: this CPU's own value of a map that only these programs write.
    #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
    let order = unsafe { &mut *ORDER.get_ptr_mut(0)? };
    *order = order.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    Some(*order >> 8)
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
