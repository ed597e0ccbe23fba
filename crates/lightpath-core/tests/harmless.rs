//! What holds for every packet that arrives, and for every flow.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;

use lightpath_abi::Features;
use lightpath_core::host::{Buffer, HostTables};
use lightpath_core::wire::{TCP, UDP, ethernet};
use lightpath_core::{
    Forwarding, Frame, Part, ReplyKind, Rewrite, SlicePacket, Verdict, decide, parse, parse_any,
};
use lightpath_testkit::cases::{contents, run_on_host};
use lightpath_testkit::node::Node;
use lightpath_testkit::packet::tcp;
use lightpath_testkit::random::Packets;
use lightpath_testkit::{Setup, assert_packets_equal, checksums_are_right, describe, service};
use proptest::prelude::*;

fn frame(packet: &[u8]) -> Frame {
    parse(&SlicePacket(&mut packet.to_vec()), Features::ALL).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_arrives_does_harm(seed in any::<u64>()) {
        let node = Node::default();
        let contents = contents(&node);
        for packet in Packets::new(seed).take(20) {
            does_no_harm(&packet, &node, &contents.host_tables());
        }
    }

    #[test]
    fn no_bytes_at_all_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..150)) {
        let node = Node::default();
        does_no_harm(&bytes, &node, &contents(&node).host_tables());
    }

    #[test]
    fn a_packet_cut_anywhere_does_no_harm(seed in any::<u64>()) {
        let node = Node::default();
        let contents = contents(&node);
        let packet = Packets::new(seed).well_formed().payload(b"").build();
        for length in 0..packet.len() {
            does_no_harm(&packet[..length], &node, &contents.host_tables());
        }
    }

    /// Packets of a flow differ in flags, payload, TTL, tags and options; services differ beside its own. Its backend does not.
    #[test]
    fn a_flow_keeps_its_backend(seed in any::<u64>(), ports in prop::collection::vec(0..20_u16, 50)) {
        let hop = Node::default().backend_hop();
        let web = |sticky: bool| {
            let web = (1..=7).fold(service("web", "203.0.113.10", 80), |web, host| {
                web.backend(&format!("10.0.0.{host}:80"), hop)
            });
            if sticky { web.sticky() } else { web }
        };
        let other = service("other", "203.0.113.11", 1..=3000).backend("10.0.1.1", hop);
        for sticky in [false, true] {
            let alone = Setup::new().with(web(sticky)).contents().host_tables();
            let beside = Setup::new().with(web(sticky)).with(other.clone()).contents().host_tables();
            let mut backends = BTreeMap::new();
            let mut rng = Packets::new(seed);
            for port in &ports {
                let source = format!("198.51.100.10:{port}");
                let ttl = 2 + (port % 3) as u8;
                let noise = rng.noise();
                let packet = tcp(&source, "203.0.113.10:80").ttl(ttl).payload(&noise).ip_options(&vec![1; usize::from(port % 5) * 4]);
                let flow = if sticky { 0 } else { *port };
                for (tables, packet) in [(&alone, packet.clone()), (&beside, packet.vlan(5))] {
                    let Verdict::Forward(forwarding) = decide(&frame(&packet.build()), &Buffer::new(&packet.build()), tables, tables) else {
                        panic!("a packet to a service with backends");
                    };
                    let first = *backends.entry(flow).or_insert(forwarding.backend);
                    prop_assert_eq!(first, forwarding.backend);
                }
            }
        }
    }
}

/// Passed or dropped, a packet stays as it is; forwarded, only what forwarding rewrites has changed, and if its checksums
/// were right they are; and it was counted once, or not at all when it is the kernel's.
fn does_no_harm(packet: &[u8], node: &Node, tables: &HostTables) {
    let (verdict, sent) = run_on_host(packet, node, tables);
    let counted = tables.counted();
    let forwarded: u64 =
        counted.backends.values().map(|backend| backend.packets + backend.reply_packets).sum();
    let dropped: u64 = counted.reasons.iter().sum();
    let expected = match verdict {
        Verdict::Pass => (0, 0),
        Verdict::Drop(drop) => {
            assert_eq!(counted.reasons[drop.reason as usize], 1);
            assert_eq!(counted.services, [(drop.service, 1)].into());
            (0, 1)
        }
        Verdict::Forward(_) => (1, 0),
        Verdict::Reply(reply) => (0, u64::from(reply.reason.is_some())),
        Verdict::Defer(_) => panic!("the slow path decides"),
    };
    assert_eq!((forwarded, dropped), expected);
    let replied: u64 = counted.replies.iter().sum();
    assert_eq!(replied, u64::from(matches!(verdict, Verdict::Reply(_))));
    match verdict {
        Verdict::Forward(forwarding) => assert_only_rewritten(packet, &sent, &forwarding),
        Verdict::Reply(reply) => assert_answers(packet, &sent, reply.kind),
        _ => assert_packets_equal("not forwarded", packet, &sent),
    }
}

/// An answer goes back to who asked for it, in the name of whom was asked, and can be believed.
fn assert_answers(packet: &[u8], sent: &[u8], kind: ReplyKind) {
    let parsed = |bytes: &[u8]| parse_any(&SlicePacket(&mut bytes.to_vec()), Features::ALL).unwrap();
    let (asked, answer) = (parsed(packet), parsed(sent));
    assert_eq!((answer.source, answer.destination), (asked.destination, asked.source));
    assert_eq!([&sent[..6], &sent[6..12]], [&packet[6..12], &packet[..6]]);
    assert_eq!(sent[12..asked.network], packet[12..asked.network], "tags");
    assert_eq!((answer.network, answer.ttl, answer.part), (asked.network, 64, Part::Whole));
    // An echo carries what it carried, wrong or right.
    if kind != ReplyKind::Echo || checksums_are_right(packet).is_ok() {
        assert_eq!(checksums_are_right(sent), Ok(()), "{}\n{}", describe(packet), describe(sent));
    }
    let longest = if asked.v4 { 576 } else { 1280 };
    assert!(kind == ReplyKind::Echo || answer.length <= longest, "{}", answer.length);
}

fn assert_only_rewritten(packet: &[u8], sent: &[u8], forwarding: &Forwarding) {
    let frame = parse_any(&SlicePacket(&mut packet.to_vec()), Features::ALL).unwrap();
    // From the IP header on, without the outer one.
    let outer = match forwarding.rewrite {
        Rewrite::Encapsulate(outer) => usize::from(outer.length()),
        _ => 0,
    };
    // The kernel gets its tags as they came; a neighbour gets those that lead to it.
    let link = forwarding.egress.hop().map_or(frame.network, ethernet::header_length);
    let (before, after) = (&packet[frame.network..], &sent[link + outer..]);
    let transport = frame.transport - frame.network;
    let checksum = transport + if frame.protocol == UDP { 6 } else { 16 };
    let of_ipv4 = |at| at == 8 || (10..20).contains(&at);
    let of_ipv6 = |at| (7..40).contains(&at);
    let of_network = |at| if frame.v4 { of_ipv4(at) } else { of_ipv6(at) };
    let translated = matches!(forwarding.rewrite, Rewrite::Destination(_) | Rewrite::Source(_));
    let is_icmp = !matches!(frame.protocol, TCP | UDP);
    let of_message = |at: usize| {
        // Its checksum, and what it quotes: addresses and their checksum, ports and their checksum.
        let quote = transport + 8;
        let inside = |at: usize| if frame.v4 { of_ipv4(at) && at != 8 } else { of_ipv6(at) && at != 7 };
        at.checked_sub(transport).is_some_and(|at| at == 2 || at == 3)
            || at.checked_sub(quote).is_some_and(|at| inside(at) || at >= if frame.v4 { 20 } else { 40 })
    };
    let of_transport = |at| {
        translated
            && frame.part != Part::Later
            && ((transport..transport + 4).contains(&at) || (checksum..checksum + 2).contains(&at))
    };
    assert_eq!(before.len(), after.len());
    for (at, (before, after)) in before.iter().zip(after).enumerate() {
        let of_payload = if is_icmp { translated && of_message(at) } else { of_transport(at) };
        let allowed = of_network(at) || of_payload;
        assert!(before == after || allowed, "byte {at}: {before:#04x} is {after:#04x}\n{}", describe(packet));
    }
    if checksums_are_right(packet).is_ok() {
        assert_eq!(checksums_are_right(sent), Ok(()), "{}\n{}", describe(packet), describe(sent));
    }
}

/// Random packets are worth something only if all ways are taken.
#[test]
fn generated_packets_take_every_way() {
    let node = Node::default();
    let tables = contents(&node).host_tables();
    let mut passed = 0;
    for packet in Packets::new(1).take(7000) {
        let (verdict, _) = run_on_host(&packet, &node, &tables);
        passed += usize::from(verdict == Verdict::Pass);
    }
    let counted = tables.counted();
    let replies: u64 = counted.backends.values().map(|backend| backend.reply_packets).sum();
    let answered = counted.replies.map(|count| count > 0);
    assert_eq!(answered, [true; ReplyKind::NAMES.len()], "{counted:?}");
    assert!(passed > 500 && replies > 100, "{passed} passed, {replies} replies");
    assert!(counted.backends.len() >= 20, "{counted:?}");
}
