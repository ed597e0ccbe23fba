//! What holds for every packet that arrives, and for every flow.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;

use lightpath_abi::Features;
use lightpath_core::host::Buffer;
use lightpath_core::{Frame, ReplyKind, SlicePacket, Verdict, decide, parse};
use lightpath_testkit::cases::{contents, run_on_host};
use lightpath_testkit::node::Node;
use lightpath_testkit::packet::tcp;
use lightpath_testkit::random::Packets;
use lightpath_testkit::{Setup, properties, service};
use proptest::prelude::*;

fn frame(packet: &[u8]) -> Frame {
    parse(&SlicePacket(&mut packet.to_vec()), Features::ALL).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_arrives_does_harm(seed in any::<u64>()) {
        for packet in Packets::new(seed).take(20) {
            does_no_harm(&packet);
        }
    }

    #[test]
    fn no_bytes_at_all_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..150)) {
        does_no_harm(&bytes);
    }

    #[test]
    fn a_packet_cut_anywhere_does_no_harm(seed in any::<u64>()) {
        let packet = Packets::new(seed).well_formed().payload(b"").build();
        for length in 0..packet.len() {
            does_no_harm(&packet[..length]);
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

/// What holds for inputs of the fuzz targets holds for this packet, in the first of the scenes.
fn does_no_harm(packet: &[u8]) {
    let _ = properties::parse(packet);
    properties::forward(&properties::script(0, &[packet.to_vec()]));
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
