//! The XDP programs: [`lightpath_core`] over the kernel's packets and maps.
//!
//! Nothing is decided here. The files are the two adapters that the packet path asks for, and the maps behind them.

#![no_std]
#![no_main]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

mod actions;
mod atomic;
mod fib;
mod maps;
#[path = "nobody.rs"]
mod observer;
mod outline;
mod packet;
mod programs;
mod tables;

use aya_ebpf::bindings::xdp_action;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;

/// Hands every packet to the kernel. A veth only accepts what its peer transmits or redirects in XDP when it has a program of
/// its own; in setups made of veths this is that program.
#[xdp(frags)]
pub fn lightpath_pass(_context: XdpContext) -> u32 {
    xdp_action::XDP_PASS
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
