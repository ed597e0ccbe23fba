//! Both ends of a link that packets cross: what sends them, and what counts those that come back.

use aya_ebpf::Global;
use aya_ebpf::bindings::xdp_action;
use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::XdpContext;

use crate::memory::{get, put};
use crate::source::{RESTORED, next, restore_v4, template};

/// Ports that flows come from, less one; a power of two less one.
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the loader finds globals by unmangled names")]
static PORT_MASK: Global<u32> = Global::new(0);

/// Packets that came back.
#[map]
static RETURNED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// How far the generator is, and when that was: packets sent, of them those between both times, the first time, and the last, in
/// nanoseconds. The time that a run of the generator takes as a whole is mostly that of making and freeing its frames.
#[map]
static PROGRESS: PerCpuArray<[u64; 4]> = PerCpuArray::with_max_entries(1, 0);

/// Packets that the kernel sends at a time, a power of two; what is done for them elsewhere is done in between.
const BATCH: u64 = 64;

/// Sends an IPv4 packet as one of the flows, which differ in their source port: the header's checksum is that of every one.
///
/// The kernel gives it frames that were sent before, with whatever was written into them, so each is written anew.
#[xdp(frags)]
pub fn generate(context: XdpContext) -> u32 {
    let start = context.data();
    if start + RESTORED > context.data_end() {
        return xdp_action::XDP_ABORTED;
    }
    let (Some(template), Some(number)) = (template(), next()) else {
        return xdp_action::XDP_ABORTED;
    };
    let Some(progress) = PROGRESS.get_ptr_mut(0) else {
        return xdp_action::XDP_ABORTED;
    };
    // SAFETY: this CPU's own value of a map that only this program writes while it runs.
    #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
    let [sent, timed, first, last] = unsafe { &mut *progress };
    if *sent % BATCH == 0 {
        // SAFETY: the helper takes nothing and answers with a number.
        #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
        let now = unsafe { bpf_ktime_get_ns() };
        if *sent == 0 {
            *first = now;
        }
        (*timed, *last) = (*sent, now);
    }
    *sent += 1;
    restore_v4(start, template);
    let port: u16 = get(template, 34);
    put(start, 34, port ^ (number & PORT_MASK.load()) as u16);
    xdp_action::XDP_TX
}

/// Counts what comes back and lets go of it.
#[xdp(frags)]
pub fn sink(_context: XdpContext) -> u32 {
    if let Some(returned) = RETURNED.get_ptr_mut(0) {
        // SAFETY: this CPU's own value of a map that only this program writes.
        #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
        unsafe {
            *returned += 1;
        }
    }
    xdp_action::XDP_DROP
}
