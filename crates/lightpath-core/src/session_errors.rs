//! ICMP errors about packets of sessions: to the backend in the name of this node, to the client in that of the VIP.
//!
//! In the kernel this is a program of its own, to which the [ICMP path](crate::icmp_path) leaves them: whole messages that quote a
//! packet of TCP or UDP.

use lightpath_abi::{Backend, Features, NextHop, ServiceIndex, Session, Tag};

use crate::apply::{link, network};
use crate::directory::find;
use crate::ends::{toward_backend, toward_client};
use crate::fast::end;
use crate::fullnat::Aligned;
use crate::parse::Link;
use crate::quote::{Quote, quoted};
use crate::translate_error::{Translation, translated_length};
use crate::wire::icmp;
use crate::{
    Counters, Drop, FlowHash, Frame, OutOfBounds, Packet, Reason, Reject, Rewrite, Route, RouteQuery, Routes,
    Tables, Verdict, parse, session,
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
    let error = Error { frame: &frame, quote: &quote };
    let flow = &quote.flow;
    let hash = FlowHash::of_flow(tables.parameters().hash_key, flow);
    if let Some((session, backend)) = session::of_client(flow, None, hash, tables) {
        return error.to_backend(session, backend, packet, tables, finish);
    }
    if let Some(session) = session::of_reply(flow, tables) {
        return error.to_client(session, packet, tables, routes, finish);
    }
    if find(tables, flow.destination, Tag::NODE).is_some() {
        // It may be about a connection of this node's own.
        return finish(Verdict::Pass);
    }
    drop(Reason::NoSession, 0, packet, tables, finish)
}

/// An error, and the flow that it is about, in the direction in which it goes on. Nothing is remembered of it: anybody can make one
/// up.
struct Error<'p> {
    frame: &'p Frame,
    quote: &'p Quote,
}

impl Error<'_> {
    /// About a packet to a client.
    #[inline(always)]
    fn to_backend<'a, P: Packet, T: Tables + Counters, O>(
        &self,
        session: &'a Session,
        backend: &'a Backend,
        packet: &mut P,
        tables: &T,
        finish: &impl Fn(Verdict<'a>) -> O,
    ) -> O {
        let hop = backend.next_hop();
        if hop.interface == 0 {
            return drop(Reason::NoNextHop, session.service(), packet, tables, finish);
        }
        if hop.is_too_small_for(u32::from(self.length(session.backend().is_v4()))) {
            return drop(Reason::TooBig, session.service(), packet, tables, finish);
        }
        let bytes = self.frame.bytes(packet.len());
        match self.rewrite(&Rewrite::ToBackend(session), Some(hop), packet, tables.parameters().features) {
            Ok(()) => end(Verdict::Forward(toward_backend(session, hop)), bytes, tables, finish),
            Err(reason) => drop(reason, session.service(), packet, tables, finish),
        }
    }

    /// About a packet to a backend.
    #[inline(always)]
    fn to_client<'a, P: Packet, T: Tables + Counters, R: Routes, O>(
        &self,
        session: &'a Session,
        packet: &mut P,
        tables: &T,
        routes: &R,
        finish: &impl Fn(Verdict<'a>) -> O,
    ) -> O {
        let v4 = session.client().is_v4();
        let query = RouteQuery {
            v4,
            source: session.vip(),
            destination: session.client(),
            length: self.length(v4),
            tos: self.frame.tos,
        };
        let hop = match routes.route(&query) {
            Route::Via(hop) => hop,
            Route::Unresolved => NextHop::default(),
            Route::NotForwarded => return drop(Reason::NoRoute, session.service(), packet, tables, finish),
            // An error is not answered (RFC 1122, 3.2.2; RFC 4443, 2.4 (e)).
            Route::TooBig { .. } => return drop(Reason::TooBig, session.service(), packet, tables, finish),
            Route::Refused(reason) => return drop(reason, session.service(), packet, tables, finish),
        };
        let hop = Aligned(hop);
        let known = if hop.0.interface == 0 { None } else { Some(&hop.0) };
        let bytes = self.frame.bytes(packet.len());
        match self.rewrite(&Rewrite::ToClient(session), known, packet, tables.parameters().features) {
            Ok(()) => end(Verdict::Forward(toward_client(session, &hop.0)), bytes, tables, finish),
            Err(reason) => drop(reason, session.service(), packet, tables, finish),
        }
    }

    /// Bytes of the error as it will leave, from the IP header on.
    #[inline(always)]
    fn length(&self, to_v4: bool) -> u16 {
        if self.frame.v4 == to_v4 { self.frame.length } else { translated_length(self.frame, self.quote) }
    }

    /// Rewrites the error for its next hop, or for the kernel to find that.
    #[inline(always)]
    fn rewrite<P: Packet>(
        &self,
        rewrite: &Rewrite<'_>,
        hop: Option<&NextHop>,
        packet: &mut P,
        features: Features,
    ) -> Result<(), Reason> {
        let Self { frame, quote } = self;
        if frame.ttl <= 1 {
            return Err(Reason::TtlExpired);
        }
        let to_v4 = match rewrite {
            Rewrite::ToBackend(session) => session.backend().is_v4(),
            Rewrite::ToClient(session) => session.client().is_v4(),
            _ => frame.v4,
        };
        // The kernel counts it down itself.
        let ttl = if hop.is_some() { frame.ttl.wrapping_sub(1) } else { frame.ttl };
        if features.has(Features::CROSS_FAMILY) && to_v4 != frame.v4 {
            let old = icmp::Header::load(packet, frame.transport)?;
            let header = old.translated(frame.v4).ok_or(Reason::Untranslatable)?;
            if !quote.is_plain() {
                return Err(Reason::Untranslatable);
            }
            return Ok(Translation { frame, quote, header, rewrite, ttl, hop }.store(packet, features)?);
        }
        let new = rewrite.endpoints(&quote.flow);
        quote.rewrite_message(frame, &new, &new, packet)?;
        network(frame, &new, ttl, packet)?;
        match hop {
            Some(hop) => Ok(link(frame, hop, packet, features)?),
            None => Ok(()),
        }
    }
}

#[inline(always)]
fn drop<'a, P: Packet, T: Tables + Counters, O>(
    reason: Reason,
    service: ServiceIndex,
    packet: &P,
    tables: &T,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    end(Verdict::Drop(Drop { reason, service }), packet.len(), tables, finish)
}

impl From<OutOfBounds> for Reason {
    #[inline(always)]
    fn from(OutOfBounds: OutOfBounds) -> Self {
        Self::Rewrite
    }
}
