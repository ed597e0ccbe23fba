//! What went wrong in other load balancers, as claims that have no better place. `docs/conformance.md` lists where the others
//! are.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;

use fastrand::Rng;
use lightpath_abi::{
    Backend, BackendNumber, Entry, Features, Flow, FlowTable, Session, SessionSet, Slot, Word,
};
use lightpath_core::host::{Contents, HostTables};
use lightpath_core::{Drop, Reason, Verdict, directory};
use lightpath_testkit::cases::{cases, contents, run_on_host};
use lightpath_testkit::node::{BACK_MAC, BACKEND_MAC, Node};
use lightpath_testkit::packet::{tcp, udp};
use lightpath_testkit::random::Packets;
use lightpath_testkit::{assert_packets_equal, describe};
use zerocopy::FromBytes;

/// Cilium's issue 14118: a packet goes round between a router and the host until its TTL ends. It has to end then.
#[test]
fn a_packet_that_comes_back_again_and_again_ends_with_its_hops() {
    let node = Node::default();
    // With `dsr` the VIP stays its destination, so whoever returns it returns it to a service.
    for packet in [
        tcp("198.51.100.10:4000", "203.0.113.10:443"),
        udp("198.51.100.10:4000", "203.0.113.10:10000"),
        tcp("[2001:db8:1::10]:4000", "[2001:db8:a::10]:443"),
    ] {
        let tables = contents(&node).host_tables();
        let mut packet = packet.ttl(64).build();
        let mut rounds = 0;
        let end = loop {
            let (verdict, sent) = run_on_host(&packet, &node, &tables);
            if !matches!(verdict, Verdict::Forward(_)) {
                break verdict;
            }
            rounds += 1;
            packet = sent;
        };
        assert!(matches!(end, Verdict::Drop(Drop { reason: Reason::TtlExpired, .. })), "{end:?}");
        assert_eq!(rounds, 63, "{}", describe(&packet));
    }
}

/// Programs that take 20 bytes of IPv4 header for granted find options where they look for ports.
#[test]
fn ports_are_found_behind_ip_options_of_every_length() {
    let node = Node::default();
    let tables = contents(&node).host_tables();
    for words in 0..=10 {
        // No-operation options, which as ports are no service's.
        let options = vec![1; words * 4];
        for (received, sent) in [
            (tcp("198.51.100.10:4000", "203.0.113.10:80"), tcp("198.51.100.10:4000", "10.0.0.11:8080")),
            (udp("198.51.100.10:4000", "203.0.113.10:53"), udp("198.51.100.10:4000", "10.0.0.13:5353")),
        ] {
            let received = received.ip_options(&options).build();
            let expected = sent.ip_options(&options).macs(BACKEND_MAC, BACK_MAC).ttl(63).build();
            let (_, sent) = run_on_host(&received, &node, &tables);
            assert_packets_equal(&format!("{words} words of options"), &expected, &sent);
        }
    }
}

/// Blixt reads an enum from a map. Here every bit pattern of a map's value is a value: tables of noise, in which every line
/// that a packet looks for is found, at worst send packets to the wrong place.
#[test]
fn tables_of_noise_do_no_harm() {
    let node = Node::default();
    let mut rng = Rng::with_seed(1);
    let packets: Vec<Vec<u8>> =
        cases(&node).into_iter().map(|case| case.packet).chain(Packets::new(1).take(200)).collect();
    let mut forwarded = 0;
    for _ in 0..20 {
        let tables = noise(&node, &mut rng);
        for packet in &packets {
            let (verdict, sent) = run_on_host(packet, &node, &tables);
            match verdict {
                Verdict::Forward(_) => forwarded += 1,
                Verdict::Reply(_) => {}
                // A tunnel's outer header may be too long for the packet to get it.
                Verdict::Drop(drop) if drop.reason == Reason::Rewrite => {}
                Verdict::Defer(_) => panic!("there is nobody left to defer to"),
                Verdict::Pass | Verdict::Drop(_) => assert_packets_equal("not forwarded", packet, &sent),
            }
        }
    }
    assert!(forwarded > 100, "only {forwarded} packets got through");
}

/// The lines of the table of packets under their keys, and nothing but noise in them and everywhere else.
fn noise(node: &Node, rng: &mut Rng) -> HostTables {
    let known = contents(node);
    let mut parameters = known.parameters;
    parameters.features = Features::ALL;
    let mut lines = vec![Entry::default(); parameters.directory_mask as usize + 1];
    for Entry { address, tag, .. } in known.image.entries {
        let mut entry = Entry { address, tag, ..any(rng) };
        // Few services and few slots, so that slots and backends are found.
        entry.service %= 4;
        entry.slots = lightpath_abi::Slots::new(rng.u32(..8), rng.u32(..64));
        directory::insert(&mut lines, parameters.hash_key, parameters.directory_mask, &entry).unwrap();
    }
    let backend = |rng: &mut Rng| {
        let backend: Backend = any(rng);
        Backend { service: backend.service % 4, ..backend }
    };
    let backends: BTreeMap<BackendNumber, Backend> = (0..64).map(|number| (number, backend(rng))).collect();
    let slot = |rng: &mut Rng| Slot { current: rng.u16(..64), previous: rng.u16(..64) };
    let flows = FlowTable::ALL.map(|table| (0..table.places()).map(|_| any::<Flow>(rng)).collect());
    let sessions = parameters.session_mask + 1;
    HostTables::copy(Contents {
        parameters,
        filter: vec![u64::MAX; 2 * lightpath_abi::FILTER_WORDS as usize],
        directory: lines,
        slots: (0..64).map(|_| slot(rng)).collect(),
        backends,
        direct: true,
        sources: (0..64).map(|_| any(rng)).collect(),
        vlans: (0..8).map(|index| (index, any(rng))).collect(),
        flows,
        sessions: (0..sessions).map(|_| Session::from_words(any(rng))).collect(),
        session_sets: (0..SessionSet::count(sessions))
            .map(|_| SessionSet(any::<[u64; 8]>(rng).map(Word::new)))
            .collect(),
    })
}

/// A value of any bits.
fn any<T: FromBytes>(rng: &mut Rng) -> T {
    let mut bytes = vec![0; size_of::<T>()];
    rng.fill(&mut bytes);
    T::read_from_bytes(&bytes).unwrap()
}
