//! The slow path: fragments, and answers to packets that do not go on.
//!
//! In the kernel it is a program of its own, which the fast path calls and which starts over: what is rare costs what is not rare
//! neither time nor registers, and the verifier walks each by itself.

use lightpath_abi::Tag;

use crate::answer::answer;
use crate::directory::find;
use crate::fast::{decide_rejected, end, send};
use crate::parse::Link;
use crate::wire::{TCP, UDP};
use crate::{
    Counters, Drop, Frame, Packet, Part, Reason, Reject, Routes, Stage, Tables, Verdict, decide, fragments,
    icmp, parse, session,
};

/// Takes a packet that the fast path deferred through the slow path: what became of it is in the packet, and in the verdict that
/// `finish` is called with.
#[inline(always)]
pub fn slow_path<'a, P: Packet, T: Tables + Counters, R: Routes, O>(
    packet: &mut P,
    tables: &'a T,
    routes: &R,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    let link = parse::link(packet, tables.parameters().features);
    match link {
        Link::Ipv4(offset) => {
            carry_on(parse::ipv4::<true, P>(packet, offset), link, packet, tables, routes, finish)
        }
        Link::Ipv6(offset) => {
            carry_on(parse::ipv6::<true, P>(packet, offset), link, packet, tables, routes, finish)
        }
        Link::Foreign => finish(Verdict::Pass),
    }
}

#[inline(always)]
fn carry_on<'a, P: Packet, T: Tables + Counters, R: Routes, O>(
    parsed: Result<Frame, Reject>,
    link: Link,
    packet: &mut P,
    tables: &'a T,
    routes: &R,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    match parsed {
        Ok(mut frame) if matches!(frame.protocol, TCP | UDP) => {
            datagram(&mut frame, packet, tables, routes, finish)
        }
        // Behind the header of a fragment is a whole message (RFC 6946).
        Ok(frame) if frame.part == Part::Whole => finish(Verdict::Defer(Stage::Icmp)),
        Ok(frame) => icmp::fragment(&frame, packet, tables, finish),
        // A fragment: the fast path has seen to everything else.
        Err(reject) => end(decide_rejected(reject, link, packet, tables), packet.len(), tables, finish),
    }
}

/// A packet or fragment of TCP or UDP.
#[inline(always)]
fn datagram<'a, P: Packet, T: Tables + Counters, R: Routes, O>(
    frame: &mut Frame,
    packet: &mut P,
    tables: &'a T,
    routes: &R,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    match frame.part {
        Part::Whole | Part::Quoted => {}
        // Whatever becomes of it becomes of the others, so that the kernel gets all of a datagram or nothing.
        Part::First => fragments::remember(frame, tables),
        Part::Later => {
            if !fragments::recall(frame, tables) {
                return end(unknown(frame, tables), packet.len(), tables, finish);
            }
        }
    }
    if session::decides(frame, tables) {
        return finish(Verdict::Defer(Stage::Session));
    }
    match decide(frame, packet, tables, routes) {
        Verdict::Forward(forwarding) => send(forwarding, frame, packet, tables, finish),
        Verdict::Reply(reply) => answer(reply, frame, packet, tables, finish),
        verdict => end(verdict, packet.len(), tables, finish),
    }
}

/// What becomes of a fragment whose first one was not seen: to a VIP it is of no use, and anybody else's is the kernel's.
#[inline(always)]
fn unknown<T: Tables>(frame: &Frame, tables: &T) -> Verdict<'static> {
    if find(tables, frame.destination, Tag::VIP).is_some() {
        Verdict::Drop(Drop { reason: Reason::Fragment, service: 0 })
    } else {
        Verdict::Pass
    }
}
