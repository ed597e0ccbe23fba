//! From a [`Frame`] to a [`Verdict`]: whose packet is it, which backend takes it, and how does it get there.

use lightpath_abi::{Address, Backend, Entry, Features, Forward, NextHop, Role, Tag, VlanInterface};

use crate::directory::{find, may_be_vip, may_reply, search};
use crate::tunnel::outer;
use crate::wire::TCP;
use crate::{
    Direction, Drop, Egress, FlowHash, Forwarding, Frame, Packet, Part, Passing, Reason, Reply, ReplyKind,
    Rewrite, Route, RouteQuery, Routes, Sighting, Tables, Verdict, direct, quic,
};

/// What becomes of a well-formed packet. Of the packet itself only what few services look at is read. Those of
/// [sessions](Tables::has_session) are for another stage.
#[inline(always)]
pub fn decide<'a, P: Packet, T: Tables, R: Routes>(
    frame: &Frame,
    packet: &P,
    tables: &'a T,
    routes: &R,
) -> Verdict<'a> {
    if may_be_vip(tables, frame.destination) {
        let (address, port) = (frame.destination, frame.destination_port);
        if let Some(service) = search(tables, Role::Service, address, frame.protocol, port) {
            return to_backend(frame, packet, service, tables);
        }
        if is_nobodys_port(address, tables) {
            return Verdict::Drop(Drop { reason: Reason::NoService, service: 0 });
        }
    }
    if tables.parameters().features.has(Features::NAT) {
        if may_reply(tables, frame.source)
            && let Some(reply) = search(tables, Role::Reply, frame.source, frame.protocol, frame.source_port)
            && !direct::is_answered(frame, tables)
        {
            return to_client(frame, reply, tables, routes);
        }
        if frame.part != Part::Quoted && may_reply(tables, frame.destination) {
            tables.notice(&Passing::new(frame, tables));
        }
    }
    Verdict::Pass
}

/// Whether an address is a VIP that this node's kernel has not, and would send on to a router, who would send it back.
#[inline(always)]
pub(crate) fn is_nobodys_port<T: Tables>(address: Address, tables: &T) -> bool {
    find(tables, address, Tag::VIP).is_some_and(|vip| vip.local == 0)
}

/// Where a flow stands in its service's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The hash of its 5-tuple, by which it is remembered.
    pub hash: FlowHash,
    /// Its slot, by its index in the array of all slots.
    pub index: u32,
}

/// Where a packet's flow stands in the table of its service.
#[inline(always)]
pub fn placement<T: Tables>(frame: &Frame, service: &Entry, tables: &T) -> Placement {
    let parameters = tables.parameters();
    let hash = FlowHash::of_flow(parameters.hash_key, frame);
    let placing = if parameters.features.has(Features::STICKY) && service.sticky != 0 {
        FlowHash::of_source(parameters.hash_key, frame)
    } else {
        hash
    };
    Placement { hash, index: placing.slot(service.slots) }
}

/// A client's packet goes to the backend that its slot names.
#[inline(always)]
fn to_backend<'a, P: Packet, T: Tables>(
    frame: &Frame,
    packet: &P,
    service: &Entry,
    tables: &'a T,
) -> Verdict<'a> {
    let drop = |reason| Verdict::Drop(Drop { reason, service: service.service });
    let placement = placement(frame, service, tables);
    let Some(slot) = tables.slot(placement.index) else {
        return drop(Reason::StaleSlot);
    };
    let connection = if tables.parameters().features.has(Features::QUIC) && service.server_id_length != 0 {
        quic::backend(frame, packet, service, tables)
    } else {
        None
    };
    let number = match connection {
        Some(number) => number,
        None if slot.previous == 0 => slot.current,
        None => tables.follow(&Sighting::new(frame, placement, slot, service)),
    };
    if number == 0 {
        return refuse(frame, service);
    }
    let Some(backend) = tables.backend(number) else {
        return drop(Reason::StaleSlot);
    };
    if backend.service != service.service {
        return drop(Reason::StaleSlot);
    }
    if frame.ttl <= 1 {
        return drop(Reason::TtlExpired);
    }
    let hop = backend.next_hop();
    if hop.interface == 0 {
        return drop(Reason::NoNextHop);
    }
    let Some(rewrite) = rewrite(service, backend, placement.hash, tables) else {
        return drop(Reason::NoSource);
    };
    if let Some(mtu) = exceeded(frame, &rewrite, hop) {
        let kind = ReplyKind::TooBig { mtu };
        return Verdict::Reply(Reply { kind, reason: Some(Reason::TooBig), service: service.service });
    }
    Verdict::Forward(Forwarding {
        direction: Direction::ToBackend,
        backend: number,
        service: service.service,
        rewrite,
        egress: Egress::Backend(hop),
        opens: frame.opened() != 0,
    })
}

/// What changes in a packet to a backend; nothing does if this node has no address to send it from.
#[inline(always)]
fn rewrite<'a, T: Tables>(
    service: &Entry,
    backend: &'a Backend,
    hash: FlowHash,
    tables: &'a T,
) -> Option<Rewrite<'a>> {
    let features = tables.parameters().features;
    let forward = service.forward;
    if features.has(Features::NAT) && forward == Forward::Nat as u8 {
        return Some(Rewrite::Destination(backend));
    }
    let ipip = features.has(Features::IPIP) && forward == Forward::Ipip as u8;
    let gue = features.has(Features::GUE) && forward == Forward::Gue as u8;
    if ipip || gue {
        return outer(gue, backend, hash, tables).map(Rewrite::Encapsulate);
    }
    Some(Rewrite::None)
}

/// The most bytes that the packet's sender may send, if this packet is more than the way takes.
#[inline(always)]
fn exceeded(frame: &Frame, rewrite: &Rewrite<'_>, hop: &NextHop) -> Option<u16> {
    let added = match rewrite {
        Rewrite::Encapsulate(outer) => outer.length(),
        _ => 0,
    };
    if hop.is_too_small_for(u32::from(frame.length) + u32::from(added)) {
        Some(hop.mtu.saturating_sub(added))
    } else {
        None
    }
}

/// Without a backend there is nobody to wait for: the client is told at once, if the service is so configured.
#[inline(always)]
fn refuse(frame: &Frame, service: &Entry) -> Verdict<'static> {
    let (reason, service, refuses) = (Reason::NoBackend, service.service, service.refuses);
    if refuses == 0 {
        return Verdict::Drop(Drop { reason, service });
    }
    let kind = if frame.protocol == TCP { ReplyKind::Reset } else { ReplyKind::Unreachable };
    Verdict::Reply(Reply { kind, reason: Some(reason), service })
}

/// A backend's reply gets the VIP as its source again and goes where this node routes it.
#[inline(always)]
fn to_client<'a, T: Tables, R: Routes>(
    frame: &Frame,
    reply: &'a Entry,
    tables: &T,
    routes: &R,
) -> Verdict<'a> {
    let drop = |reason| Verdict::Drop(Drop { reason, service: reply.service });
    let query = RouteQuery {
        v4: frame.v4,
        source: reply.vip,
        destination: frame.destination,
        length: frame.length,
        tos: frame.tos,
    };
    let egress = match routes.route(&query) {
        Route::Via(hop) => Egress::Routed(routed(hop, tables)),
        Route::Unresolved => Egress::Routed(NextHop::default()),
        // Such as a connection of this node's own to the backend: the kernel knows what to do.
        Route::NotForwarded => return Verdict::Pass,
        // The kernel tells the backend, which knows nothing of the VIP; a fragment it would make is none of the client's.
        Route::TooBig { .. } if frame.dont_fragment => return Verdict::Pass,
        Route::TooBig { .. } => return drop(Reason::TooBig),
        Route::Refused(reason) => return drop(reason),
    };
    if frame.ttl <= 1 {
        return drop(Reason::TtlExpired);
    }
    Verdict::Forward(Forwarding {
        direction: Direction::ToClient,
        backend: reply.backend,
        service: reply.service,
        rewrite: Rewrite::Source(reply),
        egress,
        opens: false,
    })
}

/// A route may lead to a VLAN interface, where XDP cannot send: the interface below it can, with a tag.
#[inline(always)]
pub(crate) fn routed<T: Tables>(hop: NextHop, tables: &T) -> NextHop {
    if !tables.parameters().features.has(Features::VLAN_ROUTES) {
        return hop;
    }
    let VlanInterface { parent, vlan, .. } = tables.vlan_interface(hop.interface);
    let by_itself = parent == 0 && vlan == 0;
    NextHop { interface: if by_itself { hop.interface } else { parent }, vlan, ..hop }
}

/// Whether an interface is a VLAN's.
#[inline(always)]
pub(crate) fn is_on_another<T: Tables>(interface: u32, tables: &T) -> bool {
    tables.parameters().features.has(Features::VLAN_ROUTES)
        && tables.vlan_interface(interface) != VlanInterface::default()
}
