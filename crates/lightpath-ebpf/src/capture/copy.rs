//! Copies of packets, as they come and as they leave.

use core::hint::black_box;
use core::ptr::{addr_of_mut, from_ref};

use aya_ebpf::helpers::generated::{
    bpf_get_smp_processor_id, bpf_ktime_get_ns, bpf_ringbuf_output, bpf_xdp_get_buff_len, bpf_xdp_load_bytes,
};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, PerCpuArray, RingBuf};
use aya_ebpf::programs::XdpContext;
use lightpath_abi::{CaptureFilter, Capturing, Ending, Features, MAX_SNAPLEN, Sample};
use lightpath_core::{is_about_client, is_wanted};

use crate::maps;
use crate::packet::XdpPacket;

/// Which packets are copied.
#[map]
static CAPTURE: Array<CaptureFilter> = Array::with_max_entries(1, 0);

/// What this CPU knows of the packet in hand.
#[map]
static CAPTURING: PerCpuArray<Capturing> = PerCpuArray::with_max_entries(1, 0);

/// The copies: tens of milliseconds of a million small packets a second.
#[map]
static SAMPLES: RingBuf = RingBuf::with_byte_size(8 << 20, 0);

/// Copies for which [`SAMPLES`] had no room.
#[map]
static LOST_SAMPLES: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// The state, if the packet in hand is copied.
#[inline(always)]
pub fn copied() -> Option<&'static mut Capturing> {
    state().filter(|state| state.is_on != 0)
}

/// Copies the packet if its turn has come.
#[inline(always)]
pub fn begin(context: &XdpContext) {
    if let (Some(filter), Some(state)) = (CAPTURE.get(0), state()) {
        state.is_on = u32::from(is_next(filter, state) && copies(filter, state, context));
    }
}

/// Copies the packet once more, as it leaves, and hands both copies over.
#[inline(always)]
pub fn end(context: &XdpContext) {
    let (Some(filter), Some(state)) = (CAPTURE.get(0), copied()) else { return };
    if let Some(backend) = maps::BACKENDS.get(u32::from(state.sample.backend))
        && state.sample.backend != 0
    {
        state.sample.service = backend.service;
    }
    if is_wanted(filter, &state.sample) {
        let at = state.sample.kept;
        if state.sample.ending >= Ending::ToBackend as u8 {
            state.sample.length_after = length(context);
            state.sample.kept_after = copy(state, at, state.sample.length_after.min(filter.snaplen), context);
        }
        hand_over(state);
    }
}

/// Whether it is the turn of this packet.
#[inline(always)]
fn is_next(filter: &CaptureFilter, state: &mut Capturing) -> bool {
    state.passed += 1;
    let is_next = state.passed >= filter.every;
    if is_next {
        state.passed = 0;
    }
    is_next
}

/// Copies the packet as it came, if it is one that is asked for.
#[inline(always)]
fn copies(filter: &CaptureFilter, state: &mut Capturing, context: &XdpContext) -> bool {
    let packet = XdpPacket::<true>::new(context);
    if !is_about_client(filter, &packet, Features(maps::FEATURES.load())) {
        return false;
    }
    let length = length(context);
    state.sample = Sample {
        time: now(),
        cpu: cpu(),
        length,
        interface: context.ingress_ifindex() as u32,
        queue: queue(context),
        ..Sample::default()
    };
    state.sample.kept = copy(state, 0, length.min(filter.snaplen), context);
    true
}

/// Copies so many bytes of the packet to an offset of the state's; how many there are then.
#[inline(always)]
fn copy(state: &mut Capturing, at: u32, bytes: u32, context: &XdpContext) -> u32 {
    // Of a number that is not 0 verifiers before that of Linux 6.8 (kernel commit d028f87517d6) do not know that it is 1 or more.
    let last = black_box(bytes.wrapping_sub(1));
    if last >= MAX_SNAPLEN || at > MAX_SNAPLEN {
        return 0;
    }
    let bytes = last + 1;
    let place = addr_of_mut!(state.bytes).cast::<u8>().wrapping_add(at as usize);
    // SAFETY: `at` and `bytes` together lie within the state's bytes, and the helper refuses what is not in the packet.
    #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
    let failed = unsafe { bpf_xdp_load_bytes(context.ctx, 0, place.cast(), bytes) };
    if failed == 0 { bytes } else { 0 }
}

/// Puts both copies into the ring buffer. Whoever reads it looks now and then, and is not woken.
#[inline(always)]
fn hand_over(state: &mut Capturing) {
    /// `BPF_RB_NO_WAKEUP`.
    const NO_WAKEUP: u64 = 1;

    let bytes = state.sample.kept + state.sample.kept_after;
    if bytes > 2 * MAX_SNAPLEN {
        return;
    }
    let size = size_of::<Sample>() as u64 + u64::from(bytes);
    let samples = from_ref(&SAMPLES).cast_mut().cast();
    // SAFETY: the sample and the bytes behind it are one value of a map.
    #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
    let failed = unsafe { bpf_ringbuf_output(samples, addr_of_mut!(state.sample).cast(), size, NO_WAKEUP) };
    if failed != 0
        && let Some(lost) = LOST_SAMPLES.get_ptr_mut(0)
    {
        // SAFETY: the map's value for this CPU, as of the state.
        #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
        unsafe {
            *lost += 1;
        }
    }
}

/// Bytes of the packet, all its pieces together.
#[inline(always)]
fn length(context: &XdpContext) -> u32 {
    // SAFETY: the helper takes the context and answers with a number.
    #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
    let length = unsafe { bpf_xdp_get_buff_len(context.ctx) };
    length as u32
}

/// Nanoseconds of the monotonic clock.
#[inline(always)]
fn now() -> u64 {
    // SAFETY: the helper takes nothing and answers with a number.
    #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
    unsafe {
        bpf_ktime_get_ns()
    }
}

/// The receive queue. A plain load would be joined with that of the interface, which is beside it, and the verifier wants each by
/// itself.
#[inline(always)]
fn queue(context: &XdpContext) -> u32 {
    // SAFETY: the context is there while the program runs.
    #[expect(unsafe_code, reason = "the context is reached through a raw pointer")]
    let queue = &raw const unsafe { &*context.ctx }.rx_queue_index;
    // SAFETY: a field of the context.
    #[expect(unsafe_code, reason = "only a volatile load is never joined with others")]
    unsafe {
        queue.read_volatile()
    }
}

#[inline(always)]
fn cpu() -> u32 {
    // SAFETY: as above.
    #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
    unsafe {
        bpf_get_smp_processor_id()
    }
}

#[inline(always)]
fn state() -> Option<&'static mut Capturing> {
    let state = CAPTURING.get_ptr_mut(0)?;
    // SAFETY: the map's value for this CPU, which only this CPU writes, and a program is not preempted by another run of itself
    // on its CPU.
    #[expect(unsafe_code, reason = "map values are reached through raw pointers")]
    Some(unsafe { &mut *state })
}
