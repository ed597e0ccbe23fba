//! How verdicts become actions.

use aya_ebpf::bindings::xdp_action;
use aya_ebpf::helpers::bpf_redirect;
use aya_ebpf::programs::XdpContext;
use lightpath_core::{Stage, Verdict};

use crate::{maps, observer};

/// The action that carries out a verdict.
///
/// In a driver, or after it, a packet can be transmitted. On the CPU that another one has given it to no driver has it in hand, and
/// it is redirected to the interface it came by instead (Documentation/bpf/map_cpumap.rst).
#[inline(always)]
pub fn action<const IN_DRIVER: bool>(verdict: &Verdict<'_>, context: &XdpContext) -> u32 {
    match verdict {
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Drop(_) => xdp_action::XDP_DROP,
        Verdict::Reply(_) => back::<IN_DRIVER>(context),
        Verdict::Forward(forwarding) => match forwarding.egress.interface() {
            0 => xdp_action::XDP_PASS,
            interface => leave::<IN_DRIVER>(context, interface),
        },
        Verdict::Defer(stage) => defer(*stage, context),
    }
}

/// Goes on to another stage. Without it, which takes a fault in the tables, the packet is the kernel's.
#[inline(always)]
fn defer(stage: Stage, context: &XdpContext) -> u32 {
    // SAFETY: on success the call does not return.
    #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
    unsafe {
        maps::STAGES.tail_call(context, stage as u32);
    }
    xdp_action::XDP_PASS
}

/// Sends the packet out of the interface with this index.
#[inline(always)]
fn leave<const IN_DRIVER: bool>(context: &XdpContext, interface: u32) -> u32 {
    observer::leaves_by(interface);
    if interface as usize == context.ingress_ifindex() {
        return back::<IN_DRIVER>(context);
    }
    redirect(interface)
}

/// Sends the packet out of the interface it came by.
#[inline(always)]
fn back<const IN_DRIVER: bool>(context: &XdpContext) -> u32 {
    if IN_DRIVER { xdp_action::XDP_TX } else { redirect(context.ingress_ifindex() as u32) }
}

#[inline(always)]
fn redirect(interface: u32) -> u32 {
    // Redirects without a device map are batched like those with one since kernel 5.6 (commit 1d233886dd90).
    // SAFETY: the helper takes plain numbers and answers with an action, XDP_ABORTED for flags it does not know.
    #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
    let action = unsafe { bpf_redirect(interface, 0) };
    action as u32
}
