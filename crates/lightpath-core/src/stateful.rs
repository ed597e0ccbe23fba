//! The path of packets whose way depends on their session: `fullnat`.
//!
//! In the kernel it is a program of its own, loaded only where it is used, which the others call and which starts over: what it
//! keeps in registers and on the stack costs nobody else anything. So are the [opening path](crate::opening_path) and the
//! [answer path](crate::answer_path), to which it leaves what is rare.

use crate::answer::answer;
use crate::ends::Ends;
use crate::parse::Link;
use crate::wire::{TCP, UDP};
use crate::{
    Counters, Frame, Packet, Part, Reject, Reply, Routes, Tables, Verdict, fragments, fullnat, parse,
};

/// Takes a packet of a session through: what became of it is in the packet, and in the verdict that `finish` is called with.
#[inline(always)]
pub fn session_path<'a, P: Packet, T: Tables + Counters, R: Routes, O>(
    packet: &mut P,
    tables: &'a T,
    routes: &R,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    match parse::link(packet, tables.parameters().features) {
        Link::Ipv4(offset) => {
            carry_on(parse::ipv4::<true, P>(packet, offset), packet, tables, routes, finish)
        }
        Link::Ipv6(offset) => {
            carry_on(parse::ipv6::<true, P>(packet, offset), packet, tables, routes, finish)
        }
        Link::Foreign => finish(Verdict::Pass),
    }
}

#[inline(always)]
fn carry_on<'a, P: Packet, T: Tables + Counters, R: Routes, O>(
    parsed: Result<Frame, Reject>,
    packet: &mut P,
    tables: &'a T,
    routes: &R,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    let Ok(mut frame) = parsed else {
        return finish(Verdict::Pass);
    };
    if !matches!(frame.protocol, TCP | UDP) {
        return finish(Verdict::Pass);
    }
    if frame.part == Part::Later && !fragments::recall(&mut frame, tables) {
        return finish(Verdict::Pass);
    }
    let ends = Ends { frame: &frame, packet, tables, finish };
    fullnat::decide(&frame, tables, routes, ends)
}

/// Gives a packet the answer that was decided on, with which the stage before this one has left it.
#[inline(always)]
pub fn answer_path<'a, P: Packet, T: Tables + Counters, O>(
    packet: &mut P,
    tables: &'a T,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    match parse::link(packet, tables.parameters().features) {
        Link::Ipv4(offset) => give(parse::ipv4::<true, P>(packet, offset), packet, tables, finish),
        Link::Ipv6(offset) => give(parse::ipv6::<true, P>(packet, offset), packet, tables, finish),
        Link::Foreign => finish(Verdict::Pass),
    }
}

#[inline(always)]
fn give<'a, P: Packet, T: Tables + Counters, O>(
    parsed: Result<Frame, Reject>,
    packet: &mut P,
    tables: &'a T,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    let Ok(frame) = parsed else {
        return finish(Verdict::Pass);
    };
    let Some(word) = tables.answer() else {
        return finish(Verdict::Pass);
    };
    answer(Reply::from_word(word), &frame, packet, tables, finish)
}
