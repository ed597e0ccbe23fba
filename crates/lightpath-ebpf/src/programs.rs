//! The programs: the balancer, the stages that it goes on to, and how their verdicts become actions.
//!
//! They are inlined into the entries that `xdp` makes for them: even an empty frame of the stack counts 32 of 512 bytes before
//! Linux 6.9.

use aya_ebpf::bindings::xdp_action;
use aya_ebpf::helpers::bpf_redirect;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use lightpath_core::{
    Stage, Verdict, answer_path, fast_path, icmp_path, opening_path, session_error_path, session_path,
    slow_path,
};

use crate::fib::KernelRoutes;
use crate::packet::XdpPacket;
use crate::tables::MapTables;
use crate::{maps, observer};

/// Balances: runs for every packet that an interface of the node receives.
#[xdp(frags)]
#[inline(always)]
pub fn lightpath(context: XdpContext) -> u32 {
    fast_path(&mut XdpPacket::<false>::new(&context), &MapTables, &KernelRoutes(&context), &|verdict| {
        action(&verdict, &context)
    })
}

/// The slow path, one of the stages that [`lightpath`] goes on to.
#[xdp(frags)]
#[inline(always)]
pub fn lightpath_slow(context: XdpContext) -> u32 {
    slow_path(&mut XdpPacket::<true>::new(&context), &MapTables, &KernelRoutes(&context), &|verdict| {
        action(&verdict, &context)
    })
}

/// ICMP, the other stage.
#[xdp(frags)]
#[inline(always)]
pub fn lightpath_icmp(context: XdpContext) -> u32 {
    icmp_path(&mut XdpPacket::<true>::new(&context), &MapTables, &KernelRoutes(&context), &|verdict| {
        action(&verdict, &context)
    })
}

/// Packets of sessions. This stage and those below are loaded only where there are any.
#[xdp(frags)]
#[inline(always)]
pub fn lightpath_session(context: XdpContext) -> u32 {
    session_path(&mut XdpPacket::<true>::new(&context), &MapTables, &KernelRoutes(&context), &|verdict| {
        action(&verdict, &context)
    })
}

/// Flows that need a session, which has them go on to [`lightpath_session`] again.
#[xdp(frags)]
#[inline(always)]
pub fn lightpath_opening(context: XdpContext) -> u32 {
    opening_path(&mut XdpPacket::<true>::new(&context), &MapTables, &|verdict| action(&verdict, &context))
}

/// Answers to packets that [`lightpath_session`] and [`lightpath_opening`] do not send on.
#[xdp(frags)]
#[inline(always)]
pub fn lightpath_answer(context: XdpContext) -> u32 {
    answer_path(&mut XdpPacket::<true>::new(&context), &MapTables, &|verdict| action(&verdict, &context))
}

/// ICMP errors about packets of sessions.
#[xdp(frags)]
#[inline(always)]
pub fn lightpath_session_error(context: XdpContext) -> u32 {
    session_error_path(
        &mut XdpPacket::<true>::new(&context),
        &MapTables,
        &KernelRoutes(&context),
        &|verdict| action(&verdict, &context),
    )
}

#[inline(always)]
fn action(verdict: &Verdict<'_>, context: &XdpContext) -> u32 {
    match verdict {
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Drop(_) => xdp_action::XDP_DROP,
        Verdict::Reply(_) => xdp_action::XDP_TX,
        Verdict::Forward(forwarding) => match forwarding.egress.interface() {
            0 => xdp_action::XDP_PASS,
            interface => leave(context, interface),
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
fn leave(context: &XdpContext, interface: u32) -> u32 {
    observer::leaves_by(interface);
    if interface as usize == context.ingress_ifindex() {
        return xdp_action::XDP_TX;
    }
    // Redirects without a device map are batched like those with one since kernel 5.6 (commit 1d233886dd90).
    // SAFETY: the helper takes plain numbers and answers with an action, XDP_ABORTED for flags it does not know.
    #[expect(unsafe_code, reason = "kernel helpers are foreign functions")]
    let action = unsafe { bpf_redirect(interface, 0) };
    action as u32
}
