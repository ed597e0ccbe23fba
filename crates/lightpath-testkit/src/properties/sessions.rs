//! What `fullnat` promises of any packets, one after another on the same sessions.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use lightpath_abi::{Features, NextHop, Session, SessionTuple};
use lightpath_core::host::{Buffer, HostTables};
use lightpath_core::wire::tcp::CHECKSUM as TCP_CHECKSUM;
use lightpath_core::wire::udp::CHECKSUM as UDP_CHECKSUM;
use lightpath_core::wire::{TCP, UDP};
use lightpath_core::{Egress, Forwarding, Frame, Part, Reason, Rewrite, Tables, Verdict, parse_any};

use super::forward::{Fate, counted};
use crate::cases::{contents, run_on_host};
use crate::node::Node;
use crate::packet::{tcp, udp};
use crate::{assert_packets_equal, describe, internet_checksum};

/// A node with services of every mode, and no session yet.
pub(super) struct Sessions {
    node: Node,
    fresh: HostTables,
}

impl Sessions {
    pub(super) fn new() -> Self {
        let node = Node::default();
        Self { node, fresh: contents(&node).host_tables() }
    }

    /// The fate of packets, one after another.
    ///
    /// - What a session forwards comes from and goes to where its tuple says, with the payload that it had, one hop less to go,
    ///   and a checksum as right or as wrong as it was, also in the other version of IP.
    /// - The same packet again goes the same way, and an answer to it comes back to its client in the VIP's name.
    /// - No two sessions have one tuple towards a backend.
    pub(super) fn play<'a>(&self, packets: impl Iterator<Item = &'a [u8]>) -> Vec<Fate> {
        let tables = self.fresh.clone();
        let fates = packets.map(|packet| self.check(packet, &tables)).collect();
        let mut towards = BTreeSet::new();
        for SessionTuple { node, backend, node_port, backend_port, protocol, .. } in
            tables.sessions().map(Session::tuple)
        {
            let tuple = (node.to_ip(), node_port, backend.to_ip(), backend_port, protocol);
            assert!(towards.insert(tuple), "two sessions have {tuple:?}");
        }
        fates
    }

    fn check(&self, packet: &[u8], tables: &HostTables) -> Fate {
        let before = tables.counted();
        let (verdict, sent) = run_on_host(packet, &self.node, tables);
        assert_eq!(tables.counted(), counted(before, verdict, packet.len()), "{}", describe(packet));
        match verdict {
            Verdict::Forward(forwarding) => {
                if let Rewrite::ToBackend(session) | Rewrite::ToClient(session) = forwarding.rewrite {
                    assert_between_ends(packet, &sent, &forwarding, tables.parameters().features);
                    let (_, again) = run_on_host(packet, &self.node, tables);
                    assert_packets_equal("sent again", &sent, &again);
                    self.is_answered(&session.tuple(), tables);
                }
            }
            Verdict::Reply(_) => {}
            _ => assert_packets_equal("not forwarded", packet, &sent),
        }
        verdict.into()
    }

    /// Fails unless an answer of the backend comes to the client, as far as there is a way to it.
    fn is_answered(&self, tuple: &SessionTuple, tables: &HostTables) {
        let [backend, node] = [(tuple.backend, tuple.backend_port), (tuple.node, tuple.node_port)]
            .map(|(address, port)| SocketAddr::new(address.to_ip(), port).to_string());
        let answer = if tuple.protocol == TCP { tcp(&backend, &node) } else { udp(&backend, &node) }.build();
        match run_on_host(&answer, &self.node, tables).0 {
            Verdict::Forward(Forwarding { rewrite: Rewrite::ToClient(session), .. }) => {
                assert_eq!(session.tuple(), *tuple);
            }
            Verdict::Drop(drop) if drop.reason == Reason::NoRoute => {}
            verdict => panic!("{verdict:?} for an answer of {tuple:?}"),
        }
    }
}

/// Fails unless what was sent is what was received, between the ends of its session.
fn assert_between_ends(received: &[u8], sent: &[u8], forwarding: &Forwarding<'_>, features: Features) {
    let parsed = |packet: &[u8]| parse_any(&Buffer::new(packet), features);
    let (Ok(came), Ok(left)) = (parsed(received), parsed(sent)) else {
        panic!("what is forwarded can be read\n{}\n{}", describe(received), describe(sent));
    };
    let seen = format!("{}\n{}", describe(received), describe(sent));
    let ends = forwarding.rewrite.endpoints(&came);
    let hops = match forwarding.egress {
        // The kernel counts down.
        Egress::Routed(NextHop { interface: 0, .. }) => 0,
        Egress::Backend(_) | Egress::Routed(_) => 1,
    };
    assert_eq!(
        (left.destination, left.part, left.ttl),
        (ends.destination, came.part, came.ttl - hops),
        "{seen}"
    );
    assert_eq!(left.tos, came.tos, "{seen}");
    if !matches!(came.protocol, TCP | UDP) {
        let [before, after] = [checksum(received, &came), checksum(sent, &left)];
        assert!(before != 0 || after == 0, "{seen}");
        return;
    }
    assert_eq!((left.source, left.protocol), (ends.source, came.protocol), "{seen}");
    let [before, after] = [segment(received, &came), segment(sent, &left)];
    if came.part == Part::Later {
        assert_eq!(before, after, "{seen}");
        return;
    }
    assert_eq!(
        [left.source_port, left.destination_port],
        [ends.source_port, ends.destination_port],
        "{seen}"
    );
    let at = if came.protocol == TCP { TCP_CHECKSUM } else { UDP_CHECKSUM };
    assert_eq!((&before[4..at], &before[at + 2..]), (&after[4..at], &after[at + 2..]), "{seen}");
    if came.protocol == UDP && before[at..at + 2] == [0, 0] {
        assert_eq!(after[at..at + 2], [0, 0], "{seen}");
    } else {
        assert_eq!(checksum(received, &came), checksum(sent, &left), "{seen}");
    }
}

/// An IP packet behind its header.
fn segment<'a>(packet: &'a [u8], frame: &Frame) -> &'a [u8] {
    &packet[frame.transport..frame.network + usize::from(frame.length)]
}

/// By how much the checksum of a packet's transport is wrong; of a first fragment, but for what is not in it. The length and the
/// protocol in the pseudo-header count for ICMPv6 only: those of the others are the same in either version of IP.
fn checksum(packet: &[u8], frame: &Frame) -> u16 {
    let segment = segment(packet, frame);
    let addresses = [frame.source, frame.destination].map(|address| match address.to_ip() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    });
    match frame.protocol {
        TCP | UDP => internet_checksum(&[&addresses.concat(), segment]),
        _ if frame.v4 => internet_checksum(&[segment]),
        _ => {
            let length = u32::try_from(segment.len()).expect("an IP length").to_be_bytes();
            internet_checksum(&[&addresses.concat(), &length, &[0, frame.protocol], segment])
        }
    }
}
