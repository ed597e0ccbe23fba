//! The fast path: whole TCP and UDP packets that go on, and packets for nobody. What it defers is looked at anew by another stage.

use lightpath_abi::{Features, Tag};

use crate::apply::apply_stateless;
use crate::directory::{find, may_be_vip};
use crate::parse::{Link, addresses};
use crate::wire::icmp::may_be_error;
use crate::{
    Counters, Drop, Forwarding, Frame, OutOfBounds, Packet, Reason, Reject, Routes, Stage, Tables, Verdict,
    account, decide, parse, session,
};

/// Takes a packet through the fast path: what became of it is in the packet, and in the verdict that `finish` is called with.
///
/// The families part early and never meet again, so each gets code of its own in which nothing depends on the other. For the same
/// reason each end calls `finish` itself: verdicts that meet would be carried there in memory.
#[inline(always)]
pub fn fast_path<'a, P: Packet, T: Tables + Counters, R: Routes, O>(
    packet: &mut P,
    tables: &'a T,
    routes: &R,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    let features = tables.parameters().features;
    let link = parse::link(packet, features);
    match link {
        Link::Ipv4(offset) => {
            carry_on(parse::ipv4::<false, P>(packet, offset), link, packet, tables, routes, finish)
        }
        Link::Ipv6(offset) => {
            carry_on(parse::ipv6::<false, P>(packet, offset), link, packet, tables, routes, finish)
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
    let frame = match parsed {
        Ok(frame) => frame,
        Err(reject) => {
            return end(decide_rejected(reject, link, packet, tables), packet.len(), tables, finish);
        }
    };
    if session::decides(&frame, tables) {
        return finish(Verdict::Defer(Stage::Session));
    }
    match decide(&frame, packet, tables, routes) {
        Verdict::Forward(forwarding) => send(forwarding, &frame, packet, tables, finish),
        Verdict::Reply(_) => finish(Verdict::Defer(Stage::Slow)),
        verdict => end(verdict, packet.len(), tables, finish),
    }
}

/// Counts a packet that does not go on.
#[inline(always)]
pub(crate) fn end<'a, C: Counters, O>(
    verdict: Verdict<'a>,
    bytes: usize,
    counters: &C,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    account(&verdict, bytes, counters);
    finish(verdict)
}

/// Sends a packet on its way, and counts it.
#[inline(always)]
pub(crate) fn send<'a, P: Packet, T: Tables + Counters, O>(
    forwarding: Forwarding<'a>,
    frame: &Frame,
    packet: &mut P,
    tables: &T,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    let bytes = frame.bytes(packet.len());
    if let Err(OutOfBounds) = apply_stateless(&forwarding, frame, packet, tables.parameters().features) {
        let dropped = Drop { reason: Reason::Rewrite, service: forwarding.service };
        return end(Verdict::Drop(dropped), bytes, tables, finish);
    }
    end(Verdict::Forward(forwarding), bytes, tables, finish)
}

/// What becomes of a packet that is no whole TCP or UDP packet: only a VIP's are ours to drop.
#[inline(always)]
pub(crate) fn decide_rejected<P: Packet, T: Tables>(
    reject: Reject,
    link: Link,
    packet: &P,
    tables: &T,
) -> Verdict<'static> {
    if reject == Reject::Foreign {
        return Verdict::Pass;
    }
    let Ok((_, destination)) = addresses(packet, link) else {
        return Verdict::Pass;
    };
    let features = tables.parameters().features;
    let to_vip = may_be_vip(tables, destination);
    match reject {
        Reject::Malformed(reason) if to_vip && find(tables, destination, Tag::VIP).is_some() => {
            Verdict::Drop(Drop { reason, service: 0 })
        }
        // With `nat`, those from a backend have to be undone, and those to one noticed; the slow path tells them from the others.
        Reject::Fragment if to_vip || features.has(Features::NAT) => Verdict::Defer(Stage::Slow),
        Reject::Icmp if to_vip || features.has(Features::NAT) && may_be_error(packet, link) => {
            Verdict::Defer(Stage::Icmp)
        }
        _ => Verdict::Pass,
    }
}
