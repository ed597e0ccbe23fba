//! Sessions: how packets of `fullnat` find theirs, and how long it lives.
//!
//! A session is over when nothing was seen of it for as long as its state allows, or when its backend serves no more. That is
//! judged by whoever looks at it, so nobody has to go and remove it, and both directions end at the same moment.

use core::hint::black_box;

use lightpath_abi::{
    Backend, Claim, Entry, Features, Forward, Pointer, Role, Session, SessionSet, Side, Tag, Word,
};

use crate::directory::{RangeQuery, find, may_be_vip};
use crate::wire::{TCP, tcp};
use crate::{FlowHash, Frame, Tables};

/// Seconds without a packet after which a UDP flow is over that its backend answered (RFC 4787, REQ-5).
const DATAGRAMS: u32 = 300;
/// Seconds that a flow has for its handshake, or in UDP for its first answer.
const UNANSWERED: u32 = 30;
/// Seconds for an established connection (RFC 5382, REQ-5: 2 hours and 4 minutes).
const ESTABLISHED: u32 = 7440;
/// Seconds for a connection that one side has closed (RFC 5382, REQ-5: 4 minutes).
const HALF_CLOSED: u32 = 240;
/// Seconds for one that both have closed, in which the last FIN may have to be repeated: the port rests for TIME-WAIT.
const CLOSED: u32 = 120;
/// Seconds for one that was reset. Packets that come all the same show that it was not (RFC 7857, section 2.2).
const RESET: u32 = 10;

/// Whether what becomes of a packet depends on its session.
#[inline(always)]
pub(crate) fn decides<T: Tables>(frame: &Frame, tables: &T) -> bool {
    tables.parameters().features.has(Features::FULLNAT)
        && may_be_vip(tables, frame.destination)
        && tables.has_session(&RangeQuery::new(
            Role::Service,
            frame.destination,
            frame.protocol,
            frame.destination_port,
        ))
}

/// Whether an address, port and protocol are those of a service of `fullnat`, or else the address is one that its packets to
/// backends come from.
#[inline(always)]
pub fn has_session<T: Tables>(query: &RangeQuery, tables: &T) -> bool {
    match query.find(tables) {
        Some(service) => service.forward == Forward::FullNat as u8,
        None => find(tables, query.address(), Tag::NODE).is_some(),
    }
}

/// Seconds without a packet after which a session is over.
#[inline(always)]
#[must_use]
pub const fn timeout(protocol: u8, client: Side, backend: Side) -> u32 {
    if protocol != TCP {
        return if backend.has(Side::SPOKE) { DATAGRAMS } else { UNANSWERED };
    }
    if client.has(Side::RST) || backend.has(Side::RST) {
        return RESET;
    }
    match (client.has(Side::FIN), backend.has(Side::FIN)) {
        (true, true) => CLOSED,
        (false, false) if client.has(Side::SPOKE) && backend.has(Side::SPOKE) => ESTABLISHED,
        (false, false) => UNANSWERED,
        _ => HALF_CLOSED,
    }
}

/// Both sides of a session.
#[derive(Clone, Copy)]
struct Sides {
    client: Side,
    backend: Side,
}

impl Sides {
    #[inline(always)]
    fn of(session: &Session) -> Self {
        let [client, backend] =
            [&session.client_side, &session.backend_side].map(|side| Side::from_word(side.load()));
        Self { client, backend }
    }

    /// Whether the session is over for lack of packets.
    #[inline(always)]
    const fn are_over(self, protocol: u8, now: u32) -> bool {
        let (client, backend) = (age(self.client.seen, now), age(self.backend.seen, now));
        let idle = if client < backend { client } else { backend };
        idle > timeout(protocol, self.client, self.backend)
    }

    /// Whether nothing is to be expected of the connection but repetitions of its end.
    #[inline(always)]
    const fn have_ended(self) -> bool {
        self.client.has(Side::RST)
            || self.backend.has(Side::RST)
            || self.client.has(Side::FIN) && self.backend.has(Side::FIN)
    }
}

/// Seconds since `then`. Another CPU's clock may be ahead of this one's.
#[inline(always)]
#[expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "differences are small")]
const fn age(then: u32, now: u32) -> u32 {
    let age = now.wrapping_sub(then) as i32;
    if age < 0 { 0 } else { age as u32 }
}

/// Whether packets of a session are forwarded no more, for lack of any or because its client left it.
#[inline(always)]
#[must_use]
pub fn is_over(session: &Session, now: u32) -> bool {
    let sides = Sides::of(session);
    sides.client.has(Side::LEFT) || sides.are_over(session.protocol(), now)
}

/// Whether a backend still is the server that a session was opened with, and serves.
#[inline(always)]
#[must_use]
pub fn is_served_by(session: &Session, backend: &Backend) -> bool {
    backend.service == session.service() && backend.address == session.backend() && backend.serving != 0
}

/// The backend of a session that lives.
#[inline(always)]
fn backend<'a, T: Tables>(session: &Session, now: u32, tables: &'a T) -> Option<&'a Backend> {
    if is_over(session, now) { None } else { serving(session, tables) }
}

#[inline(always)]
fn serving<'a, T: Tables>(session: &Session, tables: &'a T) -> Option<&'a Backend> {
    let backend = tables.backend(session.number())?;
    if is_served_by(session, backend) { Some(backend) } else { None }
}

/// The session of a client's packet, of this service if it is known, and its backend.
#[inline(always)]
pub(crate) fn of_client<'a, T: Tables>(
    frame: &Frame,
    service: Option<&Entry>,
    hash: FlowHash,
    tables: &'a T,
) -> Option<(&'a Session, &'a Backend)> {
    let set = set(hash, tables)?;
    let mut key = 0;
    for place in &set.0 {
        let pointer = Pointer::from_word(place.load());
        if pointer.flow == hash.session_key() {
            key = pointer.key;
        }
    }
    // The verifier would follow the rest once for each place.
    let key = black_box(key);
    let session = tables.session(key & tables.parameters().session_mask)?;
    let its = key != 0
        && Claim::from_word(session.claim.load()).key == key
        && session.client() == frame.source
        && session.vip() == frame.destination
        && session.client_port() == frame.source_port
        && session.vip_port() == frame.destination_port
        && session.protocol() == frame.protocol
        && service.is_none_or(|service| session.service() == service.service);
    if !its {
        return None;
    }
    Some((session, backend(session, tables.now(), tables)?))
}

/// The session of a packet from a backend to this node.
#[inline(always)]
pub(crate) fn of_reply<'a, T: Tables>(frame: &Frame, tables: &'a T) -> Option<&'a Session> {
    let parameters = tables.parameters();
    let key = FlowHash::of_flow(parameters.hash_key, frame).session_key();
    let session = tables.session(key & parameters.session_mask)?;
    let its = Claim::from_word(session.claim.load()).key == key
        && session.backend() == frame.source
        && session.node() == frame.destination
        && session.backend_port() == frame.source_port
        && session.node_port() == frame.destination_port
        && session.protocol() == frame.protocol;
    if its && backend(session, tables.now(), tables).is_some() { Some(session) } else { None }
}

/// The session in the place of a key, whoever's it is.
#[inline(always)]
pub(crate) fn at<T: Tables>(key: u32, tables: &T) -> Option<&Session> {
    tables.session(key & tables.parameters().session_mask)
}

/// The set of the index that a client's flow may be in.
#[inline(always)]
pub(crate) fn set<T: Tables>(hash: FlowHash, tables: &T) -> Option<&SessionSet> {
    let sets = SessionSet::count(tables.parameters().session_mask + 1);
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are what is wanted")]
    tables.session_set(hash.key() as u32 & (sets - 1))
}

/// Whether a pointer of the index leads to a session that is not over and not left.
#[inline(always)]
pub fn leads<T: Tables>(pointer: Pointer, tables: &T) -> bool {
    let Some(session) = tables.session(pointer.key & tables.parameters().session_mask) else {
        return false;
    };
    Claim::from_word(session.claim.load()).key == pointer.key
        && session.flow() >> 32 == u64::from(pointer.flow)
        && backend(session, tables.now(), tables).is_some()
}

/// Seconds after which whoever claimed a place has filled it.
const FILLED: u32 = 2;

/// Whether a session's place, with this word as its claim, can be given to another flow.
#[inline(always)]
pub(crate) fn is_free<T: Tables>(session: &Session, claim: u64, now: u32, tables: &T) -> bool {
    if claim == 0 {
        return true;
    }
    if age(Claim::from_word(claim).since, now) < FILLED {
        return false;
    }
    Sides::of(session).are_over(session.protocol(), now) || serving(session, tables).is_none()
}

/// Whether a client that opens a connection begins anew, the last one of its port having ended.
#[inline(always)]
pub(crate) fn has_ended(session: &Session) -> bool {
    Sides::of(session).have_ended()
}

/// Takes note of a client's packet.
#[inline(always)]
pub(crate) fn client_sent(session: &Session, frame: &Frame, now: u32) {
    let spoke = if frame.syn { 0 } else { Side::SPOKE };
    note(&session.client_side, spoke, frame, now);
}

/// Takes note of a backend's packet.
#[inline(always)]
pub(crate) fn backend_sent(session: &Session, frame: &Frame, now: u32) {
    note(&session.backend_side, Side::SPOKE, frame, now);
}

/// Writes once a second at most, unless the state changes, so that the cache line can stay where it is.
#[inline(always)]
fn note(side: &Word, spoke: u8, frame: &Frame, now: u32) {
    let old = side.load();
    let mut state = Side::from_word(old).state & !Side::RST | spoke;
    if frame.flags & tcp::FIN != 0 {
        state |= Side::FIN;
    }
    if frame.flags & tcp::RST != 0 {
        state |= Side::RST;
    }
    let new = Side { state, seen: now }.to_word();
    if new != old {
        side.store(new);
    }
}

/// Ends a session for its client's packets and its backend's at once; its port rests for as long as if it had not.
#[inline(always)]
pub(crate) fn leave(session: &Session) {
    let side = Side::from_word(session.client_side.load());
    session.client_side.store(Side { state: side.state | Side::LEFT, ..side }.to_word());
}
