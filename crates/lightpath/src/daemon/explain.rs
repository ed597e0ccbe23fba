//! `lightpath explain`: the packet path itself, over a copy of the live tables.

use std::net::{IpAddr, SocketAddr};

use etherparse::PacketBuilder;
use lightpath_abi::{Address, Entry, NextHop, Role, ServiceIndex};
use lightpath_control::reconcile::Reconciler;
use lightpath_core::host::HostTables;
use lightpath_core::{
    Direction, Egress, Forwarding, Frame, Reason, Rewrite, SlicePacket, Tables, Verdict, decide, directory,
    parse, placement,
};

use crate::cli::{Explain, Proto};
use crate::explanation::{BackendExplanation, Explanation, NextHopExplanation};

/// What would become of a packet of `flow`, or why it cannot be made.
pub(super) fn explain(
    flow: &Explain,
    tables: &HostTables,
    reconciler: &Reconciler,
) -> Result<Explanation, String> {
    let mut bytes = packet(flow)?;
    let Ok(frame) = parse(&SlicePacket(&mut bytes), tables.parameters().features) else {
        return Ok(passed(flow, "no service is of this family"));
    };
    let verdict = decide(&frame, tables, tables);
    Ok(match verdict {
        Verdict::Pass => passed(flow, "no service has this destination, and no backend this source"),
        Verdict::Drop(drop) => {
            let because = format!("{}: {}", drop.reason.name(), in_words(drop.reason));
            with_slot(Explanation { because, ..empty(flow, "drop") }, &frame, tables, reconciler)
        }
        Verdict::Forward(forwarding) => forwarded(flow, &frame, &forwarding, tables, reconciler),
    })
}

fn forwarded(
    flow: &Explain,
    frame: &Frame,
    forwarding: &Forwarding,
    tables: &HostTables,
    reconciler: &Reconciler,
) -> Explanation {
    let backend = tables.backend(forwarding.backend).map(|backend| BackendExplanation {
        address: backend.address.to_ip(),
        port: (backend.port != 0).then_some(backend.port),
    });
    let rewrite = match forwarding.rewrite {
        Rewrite::None => "MAC addresses only".to_owned(),
        Rewrite::Destination { address, port } => format!("destination becomes {}", socket(address, port)),
        Rewrite::Source { address, port } => format!("source becomes {}", socket(address, port)),
    };
    let next_hop = match forwarding.egress {
        Egress::Link(NextHop { mac, source_mac, interface }) => {
            Some(NextHopExplanation { interface, mac: mac_text(mac), source_mac: mac_text(source_mac) })
        }
        Egress::Kernel => None,
    };
    let explanation = Explanation { backend, rewrite: Some(rewrite), next_hop, ..empty(flow, "forward") };
    match forwarding.direction {
        Direction::ToClient => Explanation {
            because: "a reply of a backend, which goes where this node's routes lead".to_owned(),
            service: name(forwarding.service, reconciler),
            ..explanation
        },
        Direction::ToBackend => {
            let explanation = with_slot(explanation, frame, tables, reconciler);
            let because = if explanation.moving {
                "its slot is moving: new flows go to one backend, earlier ones stay with another"
            } else {
                "its slot names this backend"
            };
            Explanation { because: because.to_owned(), ..explanation }
        }
    }
}

/// Adds the service and slot that the packet's destination leads to.
fn with_slot(
    explanation: Explanation,
    frame: &Frame,
    tables: &HostTables,
    reconciler: &Reconciler,
) -> Explanation {
    let service: Option<&Entry> =
        directory::search(tables, Role::Service, frame.destination, frame.protocol, frame.destination_port);
    let Some(service) = service else {
        return explanation;
    };
    let index = placement(frame, service, tables).index;
    Explanation {
        service: name(service.service, reconciler),
        slot: Some(index.wrapping_sub(service.slots.base())),
        moving: tables.slot(index).is_some_and(|slot| slot.previous != 0),
        ..explanation
    }
}

fn passed(flow: &Explain, because: &str) -> Explanation {
    Explanation { because: format!("{because}; the kernel gets it untouched"), ..empty(flow, "pass") }
}

fn empty(flow: &Explain, verdict: &str) -> Explanation {
    let protocol = match (flow.proto, flow.syn) {
        (Proto::Tcp, true) => "tcp SYN",
        (Proto::Tcp, false) => "tcp",
        (Proto::Udp, _) => "udp",
    };
    Explanation {
        packet: format!("{protocol} {} to {}", flow.src, flow.dst),
        verdict: verdict.to_owned(),
        because: String::new(),
        service: None,
        slot: None,
        moving: false,
        backend: None,
        rewrite: None,
        next_hop: None,
    }
}

fn name(index: ServiceIndex, reconciler: &Reconciler) -> Option<String> {
    let services = reconciler.config().services.iter().zip(reconciler.states());
    services.filter(|(_, state)| state.index == index).map(|(service, _)| service.name.clone()).next()
}

fn socket(address: Address, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_ip(), port)
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

fn in_words(reason: Reason) -> &'static str {
    match reason {
        Reason::NoBackend => "no backend of the service takes new flows",
        Reason::NoNextHop => "packets cannot be sent to the backend; see `lightpath status`",
        Reason::StaleSlot => "the tables are being changed; ask again",
        _ => "see `lightpath status`",
    }
}

/// A packet of the flow, as a client would send it.
fn packet(flow: &Explain) -> Result<Vec<u8>, String> {
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
