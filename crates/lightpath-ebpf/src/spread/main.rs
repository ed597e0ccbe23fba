//! The same programs where packets are spread over CPUs: one that gives each packet to a CPU, and those that balance it there.
//!
//! It is an object of its own: programs of a CPU map are of another type to the kernel, and since Linux 6.18 do not share a map of
//! tail calls with those of interfaces (commit 4540aed51b12).

#![no_std]
#![no_main]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

#[path = "../actions.rs"]
mod actions;
#[path = "../atomic.rs"]
mod atomic;
mod entry;
#[path = "../fib.rs"]
mod fib;
#[path = "../maps.rs"]
mod maps;
#[path = "../nobody.rs"]
mod observer;
#[path = "../outline.rs"]
mod outline;
#[path = "../packet.rs"]
mod packet;
mod programs;
#[path = "../tables.rs"]
mod tables;

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
