//! The same programs while somebody looks on: some packets are copied as they come and as they leave.
//!
//! It is an object of its own, so that one nobody looks at holds nothing of this.

#![no_std]
#![no_main]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

#[path = "../actions.rs"]
mod actions;
#[path = "../atomic.rs"]
mod atomic;
mod copy;
#[path = "../fib.rs"]
mod fib;
#[path = "../maps.rs"]
mod maps;
mod observer;
#[path = "../outline.rs"]
mod outline;
#[path = "../packet.rs"]
mod packet;
#[path = "../programs.rs"]
mod programs;
#[path = "../tables.rs"]
mod tables;

use core::hint::black_box;

use aya_ebpf::bindings::{xdp_action, xdp_md};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use lightpath_core::BALANCER_PLACE;

/// Stands before the balancer and behind it.
#[xdp(frags)]
#[inline(always)]
pub fn lightpath_capture(context: XdpContext) -> u32 {
    copy::begin(&context);
    let action = lightpath_balance(context.ctx);
    copy::end(&context);
    action
}

/// Has the packet balanced: a program that a function goes on to comes back to the function's caller (kernel commit
/// e411901c0b77).
#[unsafe(no_mangle)]
#[inline(never)]
#[expect(unsafe_code, reason = "the verifier finds global functions by their unmangled names")]
extern "C" fn lightpath_balance(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    // SAFETY: on success the call does not return.
    unsafe {
        maps::STAGES.tail_call(&context, BALANCER_PLACE);
    }
    // Without a balancer the packet is the kernel's. The compiler is not to know that this is the only answer it sees.
    black_box(xdp_action::XDP_PASS)
}

/// The kernel lends `bpf_fib_lookup` to programs under the GPL only; this program is available under it as well.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the loader finds the licence by its section and name")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    // Nothing in the packet path panics; the verifier would refuse this loop if it could be reached.
    loop {}
}
