//! The balancer and its stages, as `../programs.rs` has them, for packets that another CPU has received.

use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use lightpath_core::{
    Verdict, answer_path, fast_path, icmp_path, opening_path, session_error_path, session_path, slow_path,
};

use crate::actions;
use crate::entry::taken;
use crate::fib::KernelRoutes;
use crate::packet::XdpPacket;
use crate::tables::MapTables;

/// Balances: runs for every packet in this CPU's queue.
#[xdp(frags, map = "cpumap")]
#[inline(always)]
pub fn lightpath(context: XdpContext) -> u32 {
    taken();
    fast_path(&mut XdpPacket::<false>::new(&context), &MapTables, &KernelRoutes(&context), &|verdict| {
        action(&verdict, &context)
    })
}

/// The slow path, one of the stages that [`lightpath`] goes on to.
#[xdp(frags, map = "cpumap")]
#[inline(always)]
pub fn lightpath_slow(context: XdpContext) -> u32 {
    slow_path(&mut XdpPacket::<true>::new(&context), &MapTables, &KernelRoutes(&context), &|verdict| {
        action(&verdict, &context)
    })
}

/// ICMP, the other stage.
#[xdp(frags, map = "cpumap")]
#[inline(always)]
pub fn lightpath_icmp(context: XdpContext) -> u32 {
    icmp_path(&mut XdpPacket::<true>::new(&context), &MapTables, &KernelRoutes(&context), &|verdict| {
        action(&verdict, &context)
    })
}

/// Packets of sessions. This stage and those below are loaded only where there are any.
#[xdp(frags, map = "cpumap")]
#[inline(always)]
pub fn lightpath_session(context: XdpContext) -> u32 {
    session_path(&mut XdpPacket::<true>::new(&context), &MapTables, &KernelRoutes(&context), &|verdict| {
        action(&verdict, &context)
    })
}

/// Flows that need a session, which has them go on to [`lightpath_session`] again.
#[xdp(frags, map = "cpumap")]
#[inline(always)]
pub fn lightpath_opening(context: XdpContext) -> u32 {
    opening_path(&mut XdpPacket::<true>::new(&context), &MapTables, &|verdict| action(&verdict, &context))
}

/// Answers to packets that [`lightpath_session`] and [`lightpath_opening`] do not send on.
#[xdp(frags, map = "cpumap")]
#[inline(always)]
pub fn lightpath_answer(context: XdpContext) -> u32 {
    answer_path(&mut XdpPacket::<true>::new(&context), &MapTables, &|verdict| action(&verdict, &context))
}

/// ICMP errors about packets of sessions.
#[xdp(frags, map = "cpumap")]
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
    actions::action::<false>(verdict, context)
}
