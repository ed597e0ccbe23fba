//! `lightpath explain`: the packet path itself, over a copy of the live tables.

pub(super) mod headers;
mod placed;
mod read_only;
mod words;

use std::net::{IpAddr, SocketAddr};

use etherparse::PacketBuilder;
use lightpath_abi::{Address, BackendNumber, NextHop, ServiceIndex};
use lightpath_control::reconcile::Reconciler;
use lightpath_core::host::HostTables;
use lightpath_core::{
    Direction, Drop, Forwarding, Frame, Reject, Reply, Rewrite, SlicePacket, Tables, Verdict, forward,
    parse_any,
};
use nix::net::if_::if_indextoname;

use crate::cli::{Flow, Proto};
use crate::explanation::{BackendExplanation, Explanation, NextHopExplanation, Sample};
use crate::hex::Hex;
use placed::Placed;
pub(super) use read_only::ReadOnly;
use read_only::WatchedPacket;

/// No packet is longer: an IP packet with its link header and tags has at most 65,597 bytes, as jumbograms (RFC 2675) are not
/// balanced.
const LONGEST: usize = 1 << 17;

/// The live tables at one moment, and the names of what is in them.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    pub(super) tables: &'a HostTables,
    pub(super) reconciler: &'a Reconciler,
}

impl Snapshot<'_> {
    /// What would become of a packet of `flow`, or why it cannot be made.
    pub(super) fn flow(&self, flow: &Flow) -> Result<Explanation, String> {
        let bytes = Hex(packet_of(flow)?);
        let explanation = self.packet(&Sample { length: bytes.0.len(), bytes, has_link: false });
        // Nobody asked what becomes of a TTL that was made up.
        Ok(Explanation { changes: Vec::new(), packet: None, ..explanation })
    }

    /// What would become of a packet if it came now.
    pub(super) fn packet(&self, sample: &Sample) -> Explanation {
        let Sample { bytes: Hex(known), length, has_link } = sample;
        // What a capture left out is payload, which the packet path does not read.
        let mut before = known.clone();
        before.resize(known.len().max((*length).min(LONGEST)), 0);
        let mut watched = WatchedPacket::new(&before);
        let tables = ReadOnly::new(self.tables);
        let verdict = forward(&mut watched, &tables, self.tables);
        let reach = watched.reach();
        let mut after = watched.bytes().to_vec();
        let parsed = parse_any(&SlicePacket(&mut before), self.tables.parameters().features);

        let mut summary = headers::summary(&before);
        if known.len() < before.len() {
            summary = format!("{summary}, {} of {} bytes captured", known.len(), before.len());
        }
        if reach > known.len() {
            return unknown(summary, reach);
        }
        let mut explanation =
            Explanation { summary, ..self.verdict(verdict, parsed, &before, tables.has_opened()) };
        if explanation.verdict == "forward" {
            explanation.changes = headers::changes(&before, *has_link, &after);
            after.truncate((known.len() + after.len()).saturating_sub(before.len()));
            explanation.packet = Some(Hex(after));
        }
        explanation
    }

    /// The one place where verdicts become words. Whether the packet opened a session cannot be seen from its verdict.
    fn verdict(
        &self,
        verdict: Verdict<'_>,
        parsed: Result<Frame, Reject>,
        packet: &[u8],
        opened: bool,
    ) -> Explanation {
        match verdict {
            Verdict::Pass => {
                Explanation { because: words::passed(parsed, packet, self.tables), ..empty("pass") }
            }
            Verdict::Drop(drop) => self.dropped(drop, parsed.ok(), packet),
            Verdict::Forward(forwarding) => self.forwarded(&forwarding, parsed.ok(), packet, opened),
            Verdict::Reply(reply) => self.replied(reply, parsed.ok(), packet),
            Verdict::Defer(_) => unreachable!("the whole path was run, the slow part too"),
        }
    }

    fn dropped(&self, drop: Drop, frame: Option<Frame>, packet: &[u8]) -> Explanation {
        let explanation = Explanation {
            because: format!("{}: {}", drop.reason.name(), words::dropped(drop.reason)),
            reason: Some(drop.reason.name().to_owned()),
            service: self.service(drop.service),
            ..empty("drop")
        };
        match frame.and_then(|frame| Placed::of(&frame, packet, self.tables)) {
            Some(placed) => self.placed(explanation, &placed),
            None => explanation,
        }
    }

    /// What is answered, and why.
    fn replied(&self, reply: Reply, frame: Option<Frame>, packet: &[u8]) -> Explanation {
        let because = words::replied(reply.kind);
        let because = match reply.reason {
            Some(reason) => format!("{because}, because {}: {}", reason.name(), words::dropped(reason)),
            None => because,
        };
        let explanation = Explanation {
            because,
            reason: reply.reason.map(|reason| reason.name().to_owned()),
            service: self.service(reply.service),
            ..empty("reply")
        };
        match frame.and_then(|frame| Placed::of(&frame, packet, self.tables)) {
            Some(placed) => self.placed(explanation, &placed),
            None => explanation,
        }
    }

    /// What is forwarded has a frame.
    fn forwarded(
        &self,
        forwarding: &Forwarding<'_>,
        frame: Option<Frame>,
        packet: &[u8],
        opened: bool,
    ) -> Explanation {
        let Forwarding { direction, backend, service, rewrite, egress, opens: _ } = *forwarding;
        let explanation = Explanation {
            service: self.service(service),
            backend: self.backend(backend),
            rewrite: Some(words::rewrite(&rewrite, frame.as_ref())),
            next_hop: egress.hop().map(next_hop),
            ..empty("forward")
        };
        let Some(frame) = frame else {
            return explanation;
        };
        match (direction, Placed::of(&frame, packet, self.tables)) {
            (Direction::ToClient, _) => {
                Explanation { because: words::reply(&frame, &rewrite, &egress), ..explanation }
            }
            (Direction::ToBackend, None) => explanation,
            (Direction::ToBackend, Some(placed)) => {
                let why = || placed.why(backend, &frame, self.tables);
                let because = match rewrite {
                    Rewrite::ToBackend(_) if opened => format!("it opens a session, and {}", why()),
                    Rewrite::ToBackend(_) => "its flow has a session with this backend".to_owned(),
                    _ => why().to_owned(),
                };
                self.placed(Explanation { because, ..explanation }, &placed)
            }
        }
    }

    /// Adds where the packet's flow stands in its service's table.
    fn placed(&self, explanation: Explanation, placed: &Placed) -> Explanation {
        let Placed { sticky, hash, number, slots, slot, .. } = *placed;
        Explanation {
            hash: Some(format!("{:016x}", hash.to_bits())),
            hashed: Some(if sticky { "source address" } else { "5-tuple" }.to_owned()),
            slot: Some(number),
            slots: Some(slots),
            moving: slot.previous != 0,
            current: self.backend(slot.current),
            previous: self.backend(slot.previous),
            ..explanation
        }
    }

    fn service(&self, index: ServiceIndex) -> Option<String> {
        let services = self.reconciler.config().services.iter().zip(self.reconciler.states());
        services.filter(|(_, state)| state.index == index).map(|(service, _)| service.name.clone()).next()
    }

    fn backend(&self, number: BackendNumber) -> Option<BackendExplanation> {
        let backend = self.tables.backend(number)?;
        Some(BackendExplanation {
            address: backend.address.to_ip(),
            port: (backend.port != 0).then_some(backend.port),
        })
    }
}

fn next_hop(hop: &NextHop) -> NextHopExplanation {
    NextHopExplanation {
        interface: hop.interface,
        name: if_indextoname(hop.interface).ok().and_then(|name| name.into_string().ok()),
        vlan: (hop.vlan != 0).then_some(hop.vlan),
        mac: headers::mac(hop.mac),
        source_mac: headers::mac(hop.source_mac),
    }
}

fn unknown(summary: String, reach: usize) -> Explanation {
    let because = format!(
        "it depends on the first {reach} bytes from the Ethernet header on, and the capture has fewer; capture more of each \
         packet, as with `tcpdump -s 256`"
    );
    Explanation { summary, because, ..empty("unknown") }
}

fn empty(verdict: &str) -> Explanation {
    Explanation {
        number: None,
        summary: String::new(),
        verdict: verdict.to_owned(),
        because: String::new(),
        reason: None,
        service: None,
        hash: None,
        hashed: None,
        slot: None,
        slots: None,
        moving: false,
        current: None,
        previous: None,
        backend: None,
        rewrite: None,
        changes: Vec::new(),
        next_hop: None,
        packet: None,
    }
}

fn socket(address: Address, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_ip(), port)
}

/// A packet of the flow, as a client would send it.
fn packet_of(flow: &Flow) -> Result<Vec<u8>, String> {
    const TTL: u8 = 64;
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let network = match (flow.src.ip(), flow.dst.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            link.ipv4(source.octets(), destination.octets(), TTL)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            link.ipv6(source.octets(), destination.octets(), TTL)
        }
        _ => return Err("source and destination are of different families".to_owned()),
    };
    let mut bytes = Vec::new();
    let written = match flow.proto {
        Proto::Tcp => {
            let tcp = network.tcp(flow.src.port(), flow.dst.port(), 1, u16::MAX);
            if flow.syn { tcp.syn() } else { tcp.ack(1) }.write(&mut bytes, &[])
        }
        Proto::Udp => network.udp(flow.src.port(), flow.dst.port()).write(&mut bytes, &[]),
    };
    written.map_err(|error| error.to_string())?;
    Ok(bytes)
}
