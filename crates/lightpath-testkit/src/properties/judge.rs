//! Judges verdicts by the plain list of what there is, of which the packet path sees only tables.

use std::collections::BTreeSet;
use std::net::IpAddr;

use lightpath_abi::{Address, BackendNumber, Entry, Features, Forward, NextHop, VlanInterface};
use lightpath_core::wire::icmp::Kind;
use lightpath_core::wire::{TCP, UDP};
use lightpath_core::{
    Direction, Drop, Egress, FlowHash, Forwarding, Frame, Outer, Part, Reason, Reject, Reply, ReplyKind,
    Rewrite, Route, Verdict,
};

use super::owner::{Sought, vip};
use super::parse::link;
use super::quic::backend_of_connection;
use super::quote::plain_quote;
use crate::node::Node;
use crate::{Contents, describe};

/// A node, and all that its tables are made of.
pub(super) struct Judge {
    pub(super) node: Node,
    pub(super) contents: Contents,
}

/// A packet that came before, with the ports of its datagram if they are known.
pub(super) struct Before {
    frame: Frame,
    /// Whether it was sent straight to a backend, so that an answer is none of the service's.
    pub(super) direct: bool,
}

impl Judge {
    /// What is to be remembered of a packet, with these before it.
    pub(super) fn remembered(&self, frame: &Frame, before: &[Before]) -> Before {
        let entries = &self.contents.image.entries;
        let frame = with_ports(frame, before).unwrap_or(*frame);
        let is_reply = Sought::reply(&frame).among(entries).is_some() && !answers(&frame, before);
        let to_vip = vip(frame.destination, entries).is_some();
        let to_backend = Sought::straight_to_a_backend(&frame).among(entries).is_some();
        Before { frame, direct: to_backend && !is_reply && !to_vip }
    }

    /// Fails if this cannot become of the packet, with these before it.
    #[track_caller]
    pub(super) fn is_right(
        &self,
        verdict: Verdict<'_>,
        frame: Result<Frame, Reject>,
        before: &[Before],
        packet: &[u8],
    ) {
        let may_be = match frame {
            Ok(frame) if !matches!(frame.protocol, TCP | UDP) => {
                self.icmp(&frame, before, packet).unwrap_or_else(|| {
                    let is_answer = matches!(verdict, Verdict::Reply(_));
                    assert!(!is_answer, "an error is not answered\n{}", describe(packet));
                    vec![verdict]
                })
            }
            Ok(frame) => match with_ports(&frame, before) {
                Some(frame) => self.verdicts(&frame, before, packet),
                // It could be anybody's, but what is sent to a VIP goes nowhere else.
                None => vec![self.for_a_vip(Some(frame.destination), Reason::Fragment)],
            },
            Err(Reject::Malformed(reason)) => vec![self.for_a_vip(destination(packet), reason)],
            Err(Reject::Foreign) => vec![Verdict::Pass],
            Err(Reject::Fragment | Reject::Icmp) => Vec::new(),
        };
        assert!(may_be.contains(&verdict), "{verdict:?} is none of {may_be:?}\n{}", describe(packet));
    }

    /// Dropped if it was sent to a VIP, whatever its service.
    fn for_a_vip(&self, destination: Option<Address>, reason: Reason) -> Verdict<'_> {
        match destination.and_then(|address| vip(address, &self.contents.image.entries)) {
            Some(_) => Verdict::Drop(Drop { reason, service: 0 }),
            None => Verdict::Pass,
        }
    }

    /// All that may become of an ICMP message, unless it is an error of which it takes more than a look to see what it is about.
    fn icmp<'a>(&'a self, frame: &Frame, before: &[Before], packet: &[u8]) -> Option<Vec<Verdict<'a>>> {
        let is_only_routed =
            vip(frame.destination, &self.contents.image.entries).is_some_and(|vip| vip.local == 0);
        // The kernel would send it on to a router, who would send it back.
        let about_nothing = |reason| {
            if is_only_routed { Verdict::Drop(Drop { reason, service: 0 }) } else { Verdict::Pass }
        };
        if frame.part != Part::Whole {
            return Some(vec![about_nothing(Reason::Fragment)]);
        }
        let Some([kind, ..]) = packet.get(frame.transport..frame.transport + 8) else {
            return Some(vec![Verdict::Pass]);
        };
        match Kind::of(frame.v4, *kind) {
            Kind::EchoRequest if is_only_routed => {
                let reply = Reply { kind: ReplyKind::Echo, reason: None, service: 0 };
                return Some(vec![answered(reply, frame, packet)]);
            }
            Kind::EchoRequest => return Some(vec![Verdict::Pass]),
            Kind::Other => return Some(vec![about_nothing(Reason::NoService)]),
            Kind::Error => {}
        }
        let quote = plain_quote(packet, frame)?;
        if quote.flow.destination != frame.destination {
            return Some(vec![about_nothing(Reason::NoService)]);
        }
        let unanswered = |verdict| match verdict {
            Verdict::Reply(Reply { reason, service, .. }) => {
                Verdict::Drop(Drop { reason: reason.unwrap_or(Reason::NoService), service })
            }
            verdict => verdict,
        };
        Some(self.verdicts(&quote.flow, before, packet).into_iter().map(unanswered).collect())
    }

    /// All that may become of a packet with ports.
    fn verdicts(&self, frame: &Frame, before: &[Before], packet: &[u8]) -> Vec<Verdict<'_>> {
        let entries = &self.contents.image.entries;
        if let Some(service) = Sought::service(frame).among(entries) {
            if let Some(number) = backend_of_connection(frame, service, packet, &self.contents.image) {
                return self.to_backend(frame, service, number, packet);
            }
            // Which of them is for hash and slots to say.
            let slots = BTreeSet::from_iter(&self.contents.image.slots[&service.service]);
            return slots
                .into_iter()
                .flat_map(|number| self.to_backend(frame, service, *number, packet))
                .collect();
        }
        if vip(frame.destination, entries).is_some_and(|vip| vip.local == 0) {
            return vec![Verdict::Drop(Drop { reason: Reason::NoService, service: 0 })];
        }
        let reply = Sought::reply(frame).among(entries).filter(|_| !answers(frame, before));
        vec![reply.map_or(Verdict::Pass, |reply| self.of_a_reply(frame, reply))]
    }

    /// What may become of a client's packet whose slot names this backend: a tunnel may have several sources.
    fn to_backend<'a>(
        &'a self,
        frame: &Frame,
        service: &'a Entry,
        number: BackendNumber,
        packet: &[u8],
    ) -> Vec<Verdict<'a>> {
        let drop = |reason| vec![Verdict::Drop(Drop { reason, service: service.service })];
        if number == 0 {
            return vec![refused(frame, service, packet)];
        }
        let Some(backend) = self.contents.image.backends.get(&number) else {
            return drop(Reason::StaleSlot);
        };
        let hop = backend.next_hop();
        if backend.service != service.service {
            return drop(Reason::StaleSlot);
        } else if frame.ttl <= 1 {
            return drop(Reason::TtlExpired);
        } else if hop.interface == 0 {
            return drop(Reason::NoNextHop);
        }
        let outer = |gue| {
            let sources = &self.contents.image.sources[usize::from(backend.source)..];
            let hash = FlowHash::of_flow(self.contents.parameters.hash_key, frame);
            let outer = sources[..sources[0].count as usize].iter().map(|source| Outer {
                backend,
                source,
                hash,
                gue,
            });
            outer.map(Rewrite::Encapsulate).collect()
        };
        let rewrites = match Forward::from_number(service.forward).expect("the mode of a service") {
            Forward::Nat => vec![Rewrite::Destination(backend)],
            Forward::Dsr => vec![Rewrite::None],
            Forward::Ipip => outer(false),
            Forward::Gue => outer(true),
            Forward::FullNat => panic!("no scene has a service that forwards by `fullnat`"),
        };
        if rewrites.is_empty() {
            return drop(Reason::NoSource);
        }
        let sent = |rewrite: Rewrite<'a>| {
            let outer = outer_length(&rewrite);
            if hop.mtu != 0 && frame.length > hop.mtu - outer {
                let kind = ReplyKind::TooBig { mtu: hop.mtu - outer };
                let reply = Reply { kind, reason: Some(Reason::TooBig), service: service.service };
                return answered(reply, frame, packet);
            }
            Verdict::Forward(Forwarding {
                direction: Direction::ToBackend,
                backend: number,
                service: service.service,
                rewrite,
                egress: Egress::Backend(hop),
                opens: frame.syn,
            })
        };
        rewrites.into_iter().map(sent).collect()
    }

    fn of_a_reply<'a>(&self, frame: &Frame, reply: &'a Entry) -> Verdict<'a> {
        let egress = match self.node.route(frame.destination, frame.length) {
            Route::NotForwarded => return Verdict::Pass,
            // For the kernel to say so.
            Route::TooBig { .. } if frame.dont_fragment => return Verdict::Pass,
            Route::TooBig { .. } => {
                return Verdict::Drop(Drop { reason: Reason::TooBig, service: reply.service });
            }
            Route::Refused(reason) => return Verdict::Drop(Drop { reason, service: reply.service }),
            Route::Via(hop) => match self.contents.image.vlans.get(&hop.interface) {
                None => Egress::Routed(hop),
                Some(VlanInterface { parent, vlan, .. }) => {
                    Egress::Routed(NextHop { interface: *parent, vlan: *vlan, ..hop })
                }
            },
            Route::Unresolved => Egress::Routed(NextHop::default()),
        };
        if frame.ttl <= 1 {
            return Verdict::Drop(Drop { reason: Reason::TtlExpired, service: reply.service });
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
}

fn refused(frame: &Frame, service: &Entry, packet: &[u8]) -> Verdict<'static> {
    let (reason, kind) = match frame.protocol {
        TCP => (Reason::NoBackend, ReplyKind::Reset),
        _ => (Reason::NoBackend, ReplyKind::Unreachable),
    };
    if service.refuses == 1 {
        return answered(Reply { kind, reason: Some(reason), service: service.service }, frame, packet);
    }
    Verdict::Drop(Drop { reason, service: service.service })
}

/// An answer, if there is one sender who is to have it (RFC 1122, 3.2.2; RFC 4443, 2.4 (e)); a reset is not reset (RFC 9293, 3.5.2).
fn answered(reply: Reply, frame: &Frame, packet: &[u8]) -> Verdict<'static> {
    if frame.part == Part::Quoted {
        // Whoever asks drops it.
        return Verdict::Reply(reply);
    }
    let is_of_one_host = match frame.source.to_ip() {
        IpAddr::V4(address) => !matches!(address.octets()[0], 0 | 127 | 224..),
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_loopback() && !address.is_multicast(),
    };
    let is_to_a_group = packet[0] & 1 == 1;
    let has_ports = frame.part != Part::Later;
    let is_reset = has_ports && reply.kind == ReplyKind::Reset && packet[frame.transport + 13] & 4 != 0;
    if is_of_one_host && !is_to_a_group && !is_reset && has_ports {
        return Verdict::Reply(reply);
    }
    Verdict::Drop(Drop { reason: reply.reason.unwrap_or(Reason::NoService), service: reply.service })
}

/// Bytes that a packet grows by between its link header and its own.
pub(super) fn outer_length(rewrite: &Rewrite<'_>) -> u16 {
    match rewrite {
        Rewrite::None | Rewrite::Destination(_) | Rewrite::Source(_) => 0,
        Rewrite::Encapsulate(Outer { backend, gue, .. }) => {
            let network = if backend.address.is_v4() { 20 } else { 40 };
            if *gue { network + 8 } else { network }
        }
        Rewrite::ToBackend(_) | Rewrite::ToClient(_) => panic!("no scene has sessions"),
    }
}

/// The frame with the ports of its datagram, if they are in it or in its first fragment, and that came before.
fn with_ports(frame: &Frame, before: &[Before]) -> Option<Frame> {
    if frame.part != Part::Later {
        return Some(*frame);
    }
    let datagram = |frame: &Frame| (frame.source, frame.destination, frame.protocol, frame.identification);
    let is_first = |other: &&Frame| other.part == Part::First && datagram(other) == datagram(frame);
    let mut frames = before.iter().rev().map(|before| &before.frame);
    let Frame { source_port, destination_port, .. } = *frames.find(is_first)?;
    Some(Frame { source_port, destination_port, ..*frame })
}

/// Whether a packet answers one that was sent straight to a backend.
fn answers(frame: &Frame, before: &[Before]) -> bool {
    let source = (frame.source, frame.source_port);
    let destination = (frame.destination, frame.destination_port);
    before.iter().filter(|before| before.direct && before.frame.protocol == frame.protocol).any(|before| {
        (before.frame.source, before.frame.source_port) == destination
            && (before.frame.destination, before.frame.destination_port) == source
    })
}

/// The destination of an IP packet, whatever else is wrong with it.
fn destination(frame: &[u8]) -> Option<Address> {
    let link = link(frame)?;
    let header = frame.get(link.network..)?;
    if link.family == Features::IPV4 {
        let octets = header.first_chunk::<20>()?.last_chunk::<4>()?;
        return Some(IpAddr::from(*octets).into());
    }
    let octets = header.first_chunk::<40>()?.last_chunk::<16>()?;
    Some(IpAddr::from(*octets).into())
}
