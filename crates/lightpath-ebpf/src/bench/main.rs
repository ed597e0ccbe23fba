//! Programs for measuring: what puts packets before the program under test, what they are measured beside, and both ends of a link
//! that packets cross.
//!
//! BPF_PROG_TEST_RUN repeats a program over one packet without restoring it, so a program that rewrites packets would measure
//! its own output from the second run on. A [packet source](source) restores the packet each time, makes it one of many flows and
//! tail-calls the program under test, which stays as it is.

#![no_std]
#![no_main]

mod least;
mod memory;
mod seed;
mod source;
mod wire;

/// The kernel takes programs of any licence that call no restricted helper.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the loader finds the licence by its section and name")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
