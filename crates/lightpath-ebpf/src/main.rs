//! The XDP program: [`lightpath_core::forward`] over the kernel's packets and maps.
//!
//! Nothing is decided here. The files are the two adapters that the packet path asks for, and the maps behind them.

#![no_std]
#![no_main]

mod fib;
mod maps;
mod outline;
mod packet;
mod tables;

use aya_ebpf::bindings::xdp_action;
use aya_ebpf::helpers::bpf_redirect;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use lightpath_abi::NextHop;
use lightpath_core::{Egress, Verdict};

use crate::fib::KernelRoutes;
use crate::packet::XdpPacket;
use crate::tables::MapTables;

/// Balances: runs for every packet that an interface of the node receives.
#[xdp]
pub fn lightpath(context: XdpContext) -> u32 {
    let verdict = lightpath_core::forward(&mut XdpPacket::new(&context), &MapTables, &KernelRoutes(&context));
    match verdict {
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Drop(_) => xdp_action::XDP_DROP,
        Verdict::Forward(forwarding) => match forwarding.egress {
            Egress::Kernel => xdp_action::XDP_PASS,
            Egress::Link(hop) => leave(&context, hop),
        },
    }
}

/// Sends the packet out of the interface of its next hop.
#[inline(always)]
fn leave(context: &XdpContext, hop: NextHop) -> u32 {
    if hop.interface as usize == context.ingress_ifindex() {
        return xdp_action::XDP_TX;
    }
    // Redirects without a device map are batched like those with one since kernel 5.6 (commit 1d233886dd90).
    // SAFETY: the helper takes plain numbers and answers with an action, XDP_ABORTED for flags it does not know.
    #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
    let action = unsafe { bpf_redirect(hop.interface, 0) };
    action as u32
}

/// Hands every packet to the kernel. A veth only accepts what its peer transmits or redirects in XDP when it has a program of
/// its own; in setups made of veths this is that program.
#[xdp]
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
