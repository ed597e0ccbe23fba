//! `fullnat`: source and destination rewritten, so that a backend's replies come back to this node wherever the backend is.
//!
//! It needs a [`Session`] for each flow. A session's place follows from the tuple of its replies, and there is one for each
//! tuple: whoever claims the place, by one compare-and-swap, has the tuple to itself. So ports are allocated without a lock, and
//! a reply finds its session at the first look.

use lightpath_abi::{Entry, NextHop, Role, Session};

use crate::decide::routed;
use crate::directory::search;
use crate::ends::Ends;
use crate::wire::{TCP, UDP, ipv4, ipv6, tcp};
use crate::{
    Counters, FlowHash, Frame, Packet, Part, Reason, ReplyKind, Route, RouteQuery, Routes, Tables, Verdict,
    session,
};

/// Bytes that an IP header grows by from IPv4 to IPv6.
#[expect(clippy::cast_possible_truncation, reason = "headers are short")]
const GROWTH: u16 = (ipv6::LENGTH - ipv4::LENGTH) as u16;

/// What becomes of a packet to a service of `fullnat`, or to this node. A flow without a session is for the stage that opens one.
#[inline(always)]
pub(crate) fn decide<'a, P: Packet, T: Tables + Counters, R: Routes, F: Fn(Verdict<'a>) -> O, O>(
    frame: &Frame,
    tables: &'a T,
    routes: &R,
    ends: Ends<'_, P, T, F>,
) -> O {
    let (address, port) = (frame.destination, frame.destination_port);
    match search(tables, Role::Service, address, frame.protocol, port) {
        Some(service) => to_backend(frame, service, tables, ends),
        None => match session::of_reply(frame, tables) {
            Some(session) => to_client(frame, session, tables, routes, ends),
            None => ends.pass(),
        },
    }
}

/// A client's packet goes to the backend of its session.
#[inline(always)]
fn to_backend<'a, P: Packet, T: Tables + Counters, F: Fn(Verdict<'a>) -> O, O>(
    frame: &Frame,
    service: &Entry,
    tables: &'a T,
    ends: Ends<'_, P, T, F>,
) -> O {
    let hash = FlowHash::of_flow(tables.parameters().hash_key, frame);
    let mut known = session::of_client(frame, Some(service), hash, tables);
    if let Some((session, _)) = known
        && frame.syn
        && session::has_ended(session)
    {
        session::leave(session);
        known = None;
    }
    let Some((session, backend)) = known else {
        if frame.protocol == TCP && !frame.syn || frame.part == Part::Later {
            return refuse(Reason::NoSession, frame, service, ends);
        }
        return ends.open();
    };
    let service = service.service;
    session::client_sent(session, frame, tables.now());
    if frame.ttl <= 1 {
        return ends.drop(Reason::TtlExpired, service);
    }
    let hop = backend.next_hop();
    if hop.interface == 0 {
        return ends.drop(Reason::NoNextHop, service);
    }
    let to_v4 = session.backend().is_v4();
    if !is_translatable(frame, to_v4) {
        return ends.drop(Reason::Untranslatable, service);
    }
    if hop.is_too_small_for(u32::from(length(frame, to_v4))) {
        return ends.reply(too_big(frame, to_v4, hop.mtu), Reason::TooBig, service);
    }
    ends.send_to_backend(session, hop)
}

/// A backend's packet goes to the client of its session.
#[inline(always)]
fn to_client<'a, P: Packet, T: Tables + Counters, R: Routes, F: Fn(Verdict<'a>) -> O, O>(
    frame: &Frame,
    session: &'a Session,
    tables: &T,
    routes: &R,
    ends: Ends<'_, P, T, F>,
) -> O {
    let service = session.service();
    session::backend_sent(session, frame, tables.now());
    let to_v4 = session.client().is_v4();
    if !is_translatable(frame, to_v4) {
        return ends.drop(Reason::Untranslatable, service);
    }
    let query = RouteQuery {
        v4: to_v4,
        source: session.vip(),
        destination: session.client(),
        length: length(frame, to_v4),
        tos: frame.tos,
    };
    let hop = match routes.route(&query) {
        Route::Via(hop) => routed(hop, tables),
        // The kernel finds it.
        Route::Unresolved => NextHop::default(),
        // The kernel would take the packet for one of its own.
        Route::NotForwarded => return ends.drop(Reason::NoRoute, service),
        Route::TooBig { mtu } => return ends.reply(too_big(frame, to_v4, mtu), Reason::TooBig, service),
        Route::Refused(reason) => return ends.drop(reason, service),
    };
    if frame.ttl <= 1 {
        return ends.drop(Reason::TtlExpired, service);
    }
    ends.send_to_client(session, &Aligned(hop).0)
}

/// A next hop that is read from the stack in words.
#[repr(align(8))]
pub(crate) struct Aligned(pub(crate) NextHop);

/// The client is told at once that there is no way on, if the service is so configured. A reset is never answered (RFC 9293,
/// 3.10.7.1).
#[inline(always)]
pub(crate) fn refuse<'a, P: Packet, T: Tables + Counters, F: Fn(Verdict<'a>) -> O, O>(
    reason: Reason,
    frame: &Frame,
    service: &Entry,
    ends: Ends<'_, P, T, F>,
) -> O {
    if service.refuses == 0 || frame.flags & tcp::RST != 0 {
        return ends.drop(reason, service.service);
    }
    let kind = if frame.protocol == TCP { ReplyKind::Reset } else { ReplyKind::Unreachable };
    ends.reply(kind, reason, service.service)
}

/// Whether a packet can become one of the other version of IP, if it has to (RFC 7915). What is lost on the way would be options,
/// and a checksum that has to be there in IPv6.
#[inline(always)]
fn is_translatable(frame: &Frame, to_v4: bool) -> bool {
    if frame.v4 == to_v4 {
        return true;
    }
    let header = if frame.v4 { ipv4::LENGTH } else { ipv6::LENGTH };
    frame.part == Part::Whole
        && frame.transport - frame.network == header
        && (frame.protocol != UDP || frame.transport_checksum != 0)
}

/// Bytes of the packet as it will leave, from the IP header on.
#[inline(always)]
fn length(frame: &Frame, to_v4: bool) -> u16 {
    match (frame.v4, to_v4) {
        (true, false) => frame.length.saturating_add(GROWTH),
        (false, true) => frame.length - GROWTH,
        _ => frame.length,
    }
}

/// The sender is told how much it may send for a way that takes `mtu` bytes.
#[inline(always)]
fn too_big(frame: &Frame, to_v4: bool, mtu: u16) -> ReplyKind {
    let mtu = match (frame.v4, to_v4) {
        (true, false) => mtu.saturating_sub(GROWTH),
        (false, true) => mtu.saturating_add(GROWTH),
        _ => mtu,
    };
    ReplyKind::TooBig { mtu }
}
