//! New sessions of `fullnat`: a port for each, which nobody else has for the same backend.
//!
//! In the kernel this is a program of its own, which goes back to the [session path](crate::session_path): it has the stack that
//! it needs, and established flows do not pay for it.

use core::hint::black_box;

use lightpath_abi::{
    Backend, BackendNumber, Claim, Entry, Features, Forward, Pointer, Role, SESSION_WAYS, SessionTuple, Side,
    Word,
};

use crate::decide::placement;
use crate::directory::search;
use crate::ends::Ends;
use crate::fullnat::refuse;
use crate::parse::Link;
use crate::source::{address, source};
use crate::{
    Counters, Endpoints, FlowHash, Frame, Packet, Reason, Reject, Stage, Tables, Verdict, parse, quic,
    session,
};

/// Opens a session for a packet that needs one, which is then for the session path again; or else the packet ends here.
#[inline(always)]
pub fn opening_path<'a, P: Packet, T: Tables + Counters, O>(
    packet: &mut P,
    tables: &'a T,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    match parse::link(packet, tables.parameters().features) {
        Link::Ipv4(offset) => carry_on(parse::ipv4::<true, P>(packet, offset), packet, tables, finish),
        Link::Ipv6(offset) => carry_on(parse::ipv6::<true, P>(packet, offset), packet, tables, finish),
        Link::Foreign => finish(Verdict::Pass),
    }
}

#[inline(always)]
fn carry_on<'a, P: Packet, T: Tables + Counters, O>(
    parsed: Result<Frame, Reject>,
    packet: &mut P,
    tables: &'a T,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    let Ok(frame) = parsed else {
        return finish(Verdict::Pass);
    };
    let (address, port) = (frame.destination, frame.destination_port);
    let Some(service) = search(tables, Role::Service, address, frame.protocol, port) else {
        return finish(Verdict::Pass);
    };
    if !tables.parameters().features.has(Features::FULLNAT) || service.forward != Forward::FullNat as u8 {
        return finish(Verdict::Pass);
    }
    let placement = placement(&frame, service, tables);
    let mut number = 0;
    if tables.parameters().features.has(Features::QUIC) && service.server_id_length != 0 {
        number = quic::backend(&frame, packet, service, tables).unwrap_or(0);
    }
    let ends = Ends { frame: &frame, packet, tables, finish };
    if number == 0 {
        let Some(slot) = tables.slot(placement.index) else {
            return ends.drop(Reason::StaleSlot, service.service);
        };
        number = slot.current;
    }
    if number == 0 {
        return refuse(Reason::NoBackend, &frame, service, ends);
    }
    let Some(backend) = tables.backend(number) else {
        return ends.drop(Reason::StaleSlot, service.service);
    };
    if backend.service != service.service || backend.serving == 0 {
        return ends.drop(Reason::StaleSlot, service.service);
    }
    match open(&frame, service, number, backend, placement.hash, tables) {
        Opened::Session => finish(Verdict::Defer(Stage::Session)),
        Opened::NoSource => ends.drop(Reason::NoSource, service.service),
        Opened::NoPort => refuse(Reason::PortsExhausted, &frame, service, ends),
    }
}

enum Opened {
    Session,
    NoSource,
    NoPort,
}

/// Ports that are tried for a flow before it is turned away: of a table three quarters full, one in a hundred is.
const TRIES: u32 = 16;

/// Ports are tried one after another, from one that differs between flows and, for a client's port that is used again, between
/// its connections: a server may still remember the last.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "ports have 16 bits")]
fn open<T: Tables>(
    frame: &Frame,
    service: &Entry,
    number: BackendNumber,
    backend: &Backend,
    hash: FlowHash,
    tables: &T,
) -> Opened {
    let parameters = tables.parameters();
    let (hash_key, ports) = (parameters.hash_key, parameters.snat_ports);
    let connection = hash.of_connection(hash_key, frame.sequence);
    let Some(source) = source(backend, connection, tables) else {
        return Opened::NoSource;
    };
    let Some((index, index_word)) = room(hash, tables) else {
        return Opened::NoPort;
    };
    let mut reply = Endpoints {
        source: backend.address,
        destination: address(source, connection),
        source_port: if backend.port == 0 { frame.destination_port } else { backend.port },
        destination_port: 0,
    };
    let v4 = backend.address.is_v4();
    let mut offset = connection.choose(ports.count());
    let mut key = 0;
    let mut tries = 0;
    while tries < TRIES {
        reply.destination_port = ports.first + offset as u16;
        key = FlowHash::of_tuple(hash_key, v4, frame.protocol, &reply).session_key();
        if tables.take(key) {
            break;
        }
        key = 0;
        offset = if offset + 1 < ports.count() { offset + 1 } else { 0 };
        tries += 1;
    }
    // The verifier would follow the rest once for each port.
    let (key, node_port) = (black_box(key), black_box(reply.destination_port));
    let Some(session) = session::at(key, tables) else {
        return Opened::NoPort;
    };
    if key == 0 {
        return Opened::NoPort;
    }
    session.fill(&SessionTuple {
        client: frame.source,
        vip: frame.destination,
        node: reply.destination,
        backend: reply.source,
        client_port: frame.source_port,
        vip_port: frame.destination_port,
        node_port,
        backend_port: reply.source_port,
        protocol: frame.protocol,
        reserved: 0,
        number,
        service: service.service,
        padding: 0,
        flow: hash.key(),
    });
    let silent = Side { state: 0, seen: tables.now() }.to_word();
    session.client_side.store(silent);
    session.backend_side.store(silent);
    if tables.claim(index, index_word, Pointer { flow: hash.session_key(), key }.to_word()) {
        return Opened::Session;
    }
    session.claim.store(0);
    Opened::NoPort
}

/// A place in the index for a client's flow, and what is there now: nothing, or a pointer that leads nowhere any more.
#[inline(always)]
fn room<T: Tables>(hash: FlowHash, tables: &T) -> Option<(&Word, u64)> {
    const NONE: usize = SESSION_WAYS;
    let set = session::set(hash, tables)?;
    let mut found = NONE;
    let mut way = 0;
    while way < SESSION_WAYS {
        let pointer = Pointer::from_word(set.0.get(way)?.load());
        let own = pointer.flow == hash.session_key();
        if pointer.key == 0 || !tables.leads(pointer) {
            if own || found == NONE {
                found = way;
            }
        } else if own {
            // Another flow of the same hash: to be found, it would have to give way.
            return None;
        }
        way += 1;
    }
    let word = set.0.get(black_box(found))?;
    Some((word, word.load()))
}

/// Takes the place of a tuple whose hash has this key, if it is free.
#[inline(always)]
pub fn take<T: Tables>(key: u32, tables: &T) -> bool {
    let now = tables.now();
    let Some(session) = session::at(key, tables) else {
        return false;
    };
    let claim = session.claim.load();
    let own = Claim { key, since: now }.to_word();
    session::is_free(session, claim, now, tables) && tables.claim(&session.claim, claim, own)
}
