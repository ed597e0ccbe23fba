//! From a [`Frame`] to a [`Verdict`]: whose packet is it, which backend takes it, and how does it get there.

use lightpath_abi::{Entry, Features, Forward, Role, Tag};

use crate::directory::{find, may_be_vip, may_reply, search};
use crate::parse::{Link, destination};
use crate::{
    Direction, Drop, Egress, FlowHash, Forwarding, Frame, Packet, Reason, Reject, Rewrite, Route, RouteQuery,
    Routes, Sighting, Tables, Verdict,
};

/// What becomes of a well-formed packet.
#[inline(always)]
pub fn decide<T: Tables, R: Routes>(frame: &Frame, tables: &T, routes: &R) -> Verdict {
    if may_be_vip(tables, frame.destination)
        && let Some(service) =
            search(tables, Role::Service, frame.destination, frame.protocol, frame.destination_port)
    {
        return to_backend(frame, service, tables);
    }
    if tables.parameters().features.has(Features::NAT)
        && may_reply(tables, frame.source)
        && let Some(reply) = search(tables, Role::Reply, frame.source, frame.protocol, frame.source_port)
    {
        return to_client(frame, reply, routes);
    }
    Verdict::Pass
}

/// What becomes of a packet that could not be parsed: only a VIP's are ours to drop.
#[inline(always)]
pub(crate) fn decide_rejected<P: Packet, T: Tables>(
    reject: Reject,
    link: Link,
    packet: &P,
    tables: &T,
) -> Verdict {
    let Reject::Malformed(reason) = reject else {
        return Verdict::Pass;
    };
    match destination(packet, link) {
        Ok(address) if may_be_vip(tables, address) && find(tables, address, Tag::VIP).is_some() => {
            Verdict::Drop(Drop { reason, service: 0 })
        }
        _ => Verdict::Pass,
    }
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
fn to_backend<T: Tables>(frame: &Frame, service: &Entry, tables: &T) -> Verdict {
    let drop = |reason| Verdict::Drop(Drop { reason, service: service.service });
    let parameters = tables.parameters();
    let placement = placement(frame, service, tables);
    let Some(slot) = tables.slot(placement.index) else {
        return drop(Reason::StaleSlot);
    };
    let number = if slot.previous == 0 {
        slot.current
    } else {
        tables.follow(&Sighting::new(frame, placement, slot, service))
    };
    if number == 0 {
        return drop(Reason::NoBackend);
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
    let rewrite = if parameters.features.has(Features::NAT) && service.forward == Forward::Nat as u8 {
        let port = if backend.port == 0 { frame.destination_port } else { backend.port };
        Rewrite::Destination { address: backend.address, port }
    } else {
        Rewrite::None
    };
    Verdict::Forward(Forwarding {
        direction: Direction::ToBackend,
        backend: number,
        service: service.service,
        rewrite,
        egress: Egress::Link(hop),
    })
}

/// A backend's reply gets the VIP as its source again and goes where this node routes it.
#[inline(always)]
fn to_client<R: Routes>(frame: &Frame, reply: &Entry, routes: &R) -> Verdict {
    let drop = |reason| Verdict::Drop(Drop { reason, service: reply.service });
    let query = RouteQuery {
        v4: frame.v4,
        source: reply.vip,
        destination: frame.destination,
        length: frame.length,
        tos: frame.tos,
    };
    let egress = match routes.route(&query) {
        Route::Via(hop) => Egress::Link(hop),
        Route::Unresolved => Egress::Kernel,
        // Such as a connection of this node's own to the backend: the kernel knows what to do.
        Route::NotForwarded => return Verdict::Pass,
        Route::Refused(reason) => return drop(reason),
    };
    if frame.ttl <= 1 {
        return drop(Reason::TtlExpired);
    }
    let port = if reply.vip_port == 0 { frame.source_port } else { reply.vip_port };
    Verdict::Forward(Forwarding {
        direction: Direction::ToClient,
        backend: reply.backend,
        service: reply.service,
        rewrite: Rewrite::Source { address: reply.vip, port },
        egress,
    })
}
