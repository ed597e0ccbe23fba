//! ICMP errors about packets of sessions: to the backend in the name of this node, to the client in that of the VIP.
//!
//! In the kernel this is a program of its own, to which the [ICMP path](crate::icmp_path) leaves them: whole messages that quote a
//! packet of TCP or UDP.

use lightpath_abi::{Features, NextHop, Session, Tag};

use crate::apply::{link, network};
use crate::decide::is_on_another;
use crate::directory::find;
use crate::ends::Ends;
use crate::fullnat::Aligned;
use crate::parse::Link;
use crate::quote::{Quote, quoted};
use crate::translate_error::{Translation, translated_length};
use crate::verdict::session_endpoints;
use crate::wire::icmp;
use crate::{
    Counters, Direction, Egress, FlowHash, Forwarding, Frame, OutOfBounds, Packet, Reason, Reject, Rewrite,
    Route, RouteQuery, Routes, Tables, Verdict, parse, session,
};

/// Takes an error through: what became of it is in the packet, and in the verdict that `finish` is called with.
#[inline(always)]
pub fn session_error_path<'a, P: Packet, T: Tables + Counters, R: Routes, O>(
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
    let Ok(frame) = parsed else {
        return finish(Verdict::Pass);
    };
    let Ok(quote) = quoted(packet, &frame) else {
        return finish(Verdict::Pass);
    };
    let flow = &quote.flow;
    let hash = FlowHash::of_flow(tables.parameters().hash_key, flow);
    let ends = Ends { frame: &frame, packet, tables, finish };
    // Both directions meet here, with all that they differ in.
    let (session, direction, hop);
    if let Some((known, backend)) = session::of_client(flow, None, hash, tables) {
        (session, direction, hop) = (known, Direction::ToBackend, Aligned(*backend.next_hop()));
        if hop.0.interface == 0 {
            return ends.drop(Reason::NoNextHop, session.service());
        }
        if hop.0.is_too_small_for(u32::from(length(&frame, &quote, session.backend().is_v4()))) {
            return ends.drop(Reason::TooBig, session.service());
        }
    } else if let Some(known) = session::of_reply(flow, tables) {
        let v4 = known.client().is_v4();
        let query = RouteQuery {
            v4,
            source: known.vip(),
            destination: known.client(),
            length: length(&frame, &quote, v4),
            tos: frame.tos,
        };
        let next = match routes.route(&query) {
            // It is not worth the stack that it takes to tag it.
            Route::Via(hop) if is_on_another(hop.interface, tables) => {
                return ends.drop(Reason::NoNextHop, known.service());
            }
            Route::Via(hop) => hop,
            // The packets that it is about come again, and the client's neighbour is known by then.
            Route::Unresolved => return ends.drop(Reason::NoNextHop, known.service()),
            Route::NotForwarded => return ends.drop(Reason::NoRoute, known.service()),
            // An error is not answered (RFC 1122, 3.2.2; RFC 4443, 2.4 (e)).
            Route::TooBig { .. } => return ends.drop(Reason::TooBig, known.service()),
            Route::Refused(reason) => return ends.drop(reason, known.service()),
        };
        (session, direction, hop) = (known, Direction::ToClient, Aligned(next));
    } else if find(tables, flow.destination, Tag::NODE).is_some() {
        // It may be about a connection of this node's own.
        return ends.pass();
    } else {
        return ends.drop(Reason::NoSession, 0);
    }
    send(&quote, session, direction, &hop.0, ends)
}

/// Rewrites an error for its next hop. Nothing is remembered of it: anybody can make one up.
#[inline(always)]
fn send<'a, P: Packet, T: Tables + Counters, F: Fn(Verdict<'a>) -> O, O>(
    quote: &Quote,
    session: &'a Session,
    direction: Direction,
    hop: &NextHop,
    ends: Ends<'_, P, T, F>,
) -> O {
    let (frame, service) = (ends.frame, session.service());
    if frame.ttl <= 1 {
        return ends.drop(Reason::TtlExpired, service);
    }
    let to_v4 = match direction {
        Direction::ToBackend => session.backend().is_v4(),
        Direction::ToClient => session.client().is_v4(),
    };
    let Some(header) = header(frame, quote, to_v4, ends.packet) else {
        return ends.drop(Reason::Untranslatable, service);
    };
    let bytes = frame.bytes(ends.packet.len());
    let error = Error { frame, quote, header, session, direction, hop };
    if let Err(OutOfBounds) = error.store(to_v4, ends.packet, ends.tables.parameters().features) {
        return ends.drop(Reason::Rewrite, service);
    }
    ends.tables.forwarded(direction, session.number(), bytes);
    (ends.finish)(Verdict::Forward(Forwarding {
        direction,
        backend: session.number(),
        service,
        rewrite: Rewrite::of_session(session, direction),
        egress: Egress::Routed(*hop),
        opens: false,
    }))
}

/// Bytes of the error as it will leave, from the IP header on.
#[inline(always)]
fn length(frame: &Frame, quote: &Quote, to_v4: bool) -> u16 {
    if frame.v4 == to_v4 { frame.length } else { translated_length(frame, quote) }
}

/// The ICMP header that the error will have, its checksum aside, unless there is none for it in the version of IP that it goes on in.
#[inline(always)]
fn header<P: Packet>(frame: &Frame, quote: &Quote, to_v4: bool, packet: &P) -> Option<icmp::Header> {
    let header = icmp::Header::load(packet, frame.transport).ok()?;
    if frame.v4 == to_v4 {
        return Some(header);
    }
    if quote.is_plain() { header.translated(frame.v4) } else { None }
}

/// An error, and how it leaves.
struct Error<'p> {
    frame: &'p Frame,
    quote: &'p Quote,
    header: icmp::Header,
    session: &'p Session,
    direction: Direction,
    hop: &'p NextHop,
}

impl Error<'_> {
    #[inline(always)]
    fn store<P: Packet>(&self, to_v4: bool, packet: &mut P, features: Features) -> Result<(), OutOfBounds> {
        let &Self { frame, quote, header, session, direction, hop } = self;
        let ttl = frame.ttl.wrapping_sub(1);
        if features.has(Features::CROSS_FAMILY) && to_v4 != frame.v4 {
            return Translation { frame, quote, header, session, direction, ttl, hop }.store(packet);
        }
        let new = session_endpoints(session, direction);
        quote.rewrite_message(frame, &new, &new, packet)?;
        network(frame, &new, ttl, packet)?;
        link(frame, hop, packet, features)
    }
}
