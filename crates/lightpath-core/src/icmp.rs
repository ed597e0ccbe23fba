//! ICMP: errors about flows go where the flows go, and echo requests to VIPs that no kernel has are answered.
//!
//! In the kernel it is a program of its own, like the [slow path](crate::slow_path), and for the same reason.

use lightpath_abi::{Address, Features, Tag};

use crate::answer::answer;
use crate::apply::leave;
use crate::decide::is_nobodys_port;
use crate::directory::{find, may_be_vip};
use crate::fast::{decide_rejected, end};
use crate::parse::Link;
use crate::quote::{Quote, quoted};
use crate::wire::icmp::{Header, Kind};
use crate::wire::{ICMP, ICMPV6};
use crate::{
    Counters, Drop, Endpoints, Forwarding, Frame, OutOfBounds, Packet, Part, Reason, Reject, Reply,
    ReplyKind, Rewrite, Routes, Stage, Tables, Verdict, decide, parse, parse_any, session,
};

/// Takes an ICMP packet that the fast path deferred through the rest of the packet path: what became of it is in the packet, and
/// in the verdict that `finish` is called with.
#[inline(always)]
pub fn icmp_path<'a, P: Packet, T: Tables + Counters, R: Routes, O>(
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
    let frame = match parsed {
        Ok(frame) => frame,
        Err(reject) => {
            return end(decide_rejected(reject, link, packet, tables), packet.len(), tables, finish);
        }
    };
    if !matches!(frame.protocol, ICMP | ICMPV6) {
        return finish(Verdict::Pass);
    }
    if frame.part != Part::Whole {
        return fragment(&frame, packet, tables, finish);
    }
    let Ok(header) = Header::load(packet, frame.transport) else {
        return finish(Verdict::Pass);
    };
    match Kind::of(frame.v4, header.kind()) {
        Kind::Error => error(&frame, packet, tables, routes, finish),
        Kind::EchoRequest if is_only_routed(frame.destination, tables) => {
            let reply = Reply { kind: ReplyKind::Echo, reason: None, service: 0 };
            answer(reply, &frame, packet, tables, finish)
        }
        Kind::EchoRequest => finish(Verdict::Pass),
        Kind::Other => end(about_nothing(&frame, Reason::NoService, tables), packet.len(), tables, finish),
    }
}

/// The flow that an ICMP error is about, as a packet of it goes that goes the way of the error. `None` if the packet is no whole
/// error about TCP or UDP.
#[inline(always)]
pub fn flow_of_error<P: Packet>(packet: &P, features: Features) -> Option<Frame> {
    let error = parse_any(packet, features).ok()?;
    if !matches!(error.protocol, ICMP | ICMPV6) || error.part != Part::Whole {
        return None;
    }
    let header = Header::load(packet, error.transport).ok()?;
    if Kind::of(error.v4, header.kind()) != Kind::Error {
        return None;
    }
    Some(quoted(packet, &error).ok()?.flow)
}

/// A part of a message says nothing. No error is as long as to be fragmented.
#[inline(always)]
pub(crate) fn fragment<'a, P: Packet, T: Tables + Counters, O>(
    frame: &Frame,
    packet: &P,
    tables: &T,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    end(about_nothing(frame, Reason::Fragment, tables), packet.len(), tables, finish)
}

/// An error goes to whichever end of a flow sent the packet that it quotes. It is decided on as a packet of that flow would be that
/// goes the same way, and that changes nothing.
#[inline(always)]
fn error<'a, P: Packet, T: Tables + Counters, R: Routes, O>(
    frame: &Frame,
    packet: &mut P,
    tables: &'a T,
    routes: &R,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    let quote = match quoted(packet, frame) {
        // Whoever is told of an error is who sent the packet.
        Ok(quote) if quote.flow.destination == frame.destination => quote,
        Err(Reject::Malformed(reason)) => {
            return end(unreadable(frame, reason, tables), packet.len(), tables, finish);
        }
        Err(Reject::Fragment) => {
            // It has no ports, and what is remembered of its datagram are the addresses from before they were rewritten.
            return end(unreadable(frame, Reason::Fragment, tables), packet.len(), tables, finish);
        }
        Ok(_) | Err(Reject::Foreign | Reject::Icmp) => {
            return end(about_nothing(frame, Reason::NoService, tables), packet.len(), tables, finish);
        }
    };
    if session::decides(&quote.flow, tables) {
        return finish(Verdict::Defer(Stage::SessionError));
    }
    match decide(&quote.flow, packet, tables, routes) {
        Verdict::Forward(forwarding) => send(forwarding, frame, &quote, packet, tables, finish),
        // An error is not answered (RFC 1122, 3.2.2; RFC 4443, 2.4 (e)).
        Verdict::Reply(Reply { reason, service, .. }) => {
            let reason = reason.unwrap_or(Reason::NoService);
            end(Verdict::Drop(Drop { reason, service }), packet.len(), tables, finish)
        }
        verdict => end(verdict, packet.len(), tables, finish),
    }
}

/// Sends an error on its way, and counts it.
#[inline(always)]
fn send<'a, P: Packet, T: Tables + Counters, O>(
    forwarding: Forwarding<'a>,
    frame: &Frame,
    quote: &Quote,
    packet: &mut P,
    tables: &T,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    let bytes = frame.bytes(packet.len());
    if let Err(OutOfBounds) = apply(&forwarding, frame, quote, packet, tables.parameters().features) {
        let dropped = Drop { reason: Reason::Rewrite, service: forwarding.service };
        return end(Verdict::Drop(dropped), bytes, tables, finish);
    }
    end(Verdict::Forward(forwarding), bytes, tables, finish)
}

/// Rewrites an error as a packet of its flow, inside as well, where the flow is rewritten.
#[inline(always)]
fn apply<P: Packet>(
    forwarding: &Forwarding<'_>,
    frame: &Frame,
    quote: &Quote,
    packet: &mut P,
    features: Features,
) -> Result<(), OutOfBounds> {
    let flow = forwarding.rewrite.endpoints(&quote.flow);
    // An error may come from any router on the way: only who is told, and in whose name a client is told, is the flow's.
    let source = match forwarding.rewrite {
        Rewrite::Source(_) => flow.source,
        _ => frame.source,
    };
    let new = Endpoints { source, ..flow };
    if matches!(forwarding.rewrite, Rewrite::Destination(_) | Rewrite::Source(_)) {
        quote.rewrite_message(frame, &flow, &new, packet)?;
    }
    leave(forwarding, frame, &new, packet, features)
}

/// What becomes of ICMP that has to do with no flow: the kernel gets it, unless it would send it on to a router, who would send it
/// back.
#[inline(always)]
fn about_nothing<T: Tables>(frame: &Frame, reason: Reason, tables: &T) -> Verdict<'static> {
    if is_only_routed(frame.destination, tables) {
        Verdict::Drop(Drop { reason, service: 0 })
    } else {
        Verdict::Pass
    }
}

/// What becomes of an error of which nothing tells what it is about.
#[inline(always)]
fn unreadable<T: Tables>(frame: &Frame, reason: Reason, tables: &T) -> Verdict<'static> {
    if may_be_vip(tables, frame.destination) && find(tables, frame.destination, Tag::VIP).is_some() {
        Verdict::Drop(Drop { reason, service: 0 })
    } else {
        Verdict::Pass
    }
}

#[inline(always)]
fn is_only_routed<T: Tables>(address: Address, tables: &T) -> bool {
    may_be_vip(tables, address) && is_nobodys_port(address, tables)
}
