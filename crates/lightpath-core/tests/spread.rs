//! Where packets are spread over CPUs: who is, and by what.

use std::collections::BTreeSet;

use lightpath_core::host::{Counted, HostTables};
use lightpath_core::{FlowHash, SlicePacket, Verdict, spread};
use lightpath_testkit::cases::{cases, contents, run_on_host};
use lightpath_testkit::node::Node;
use lightpath_testkit::packet::{PacketBuilder, SYN, icmp, tcp, udp};
use lightpath_testkit::random::Packets;

fn hash(packet: &[u8], tables: &HostTables) -> Option<FlowHash> {
    spread(&SlicePacket(&mut packet.to_vec()), tables)
}

fn tables() -> HostTables {
    contents(&Node::default()).host_tables()
}

/// What is left where it came in goes to the kernel without the packet path: it must not have done anything with it.
#[test]
fn whatever_the_packet_path_has_to_do_with_is_spread() {
    let tables = tables();
    let mut left = 0;
    let mut look = |what: &str, before: &[Vec<u8>], packet: &[u8], node: &Node| {
        if hash(packet, &tables).is_some() {
            return;
        }
        left += 1;
        for packet in before {
            let _ = run_on_host(packet, node, &tables);
        }
        tables.clear_counted();
        let (verdict, bytes) = run_on_host(packet, node, &tables);
        assert_eq!(verdict, Verdict::Pass, "{what}");
        assert_eq!(bytes, packet, "{what}");
        assert_eq!(tables.counted(), Counted::default(), "{what}");
    };
    for case in cases(&Node::default()) {
        look(&case.what, &case.before, &case.packet, &case.node);
    }
    for packet in Packets::new(7).take(4000) {
        look("a generated packet", &[], &packet, &Node::default());
    }
    assert!(left > 200, "only {left} packets were nobody's");
}

#[test]
fn packets_of_a_flow_come_to_one_cpu_whatever_else_is_in_them() {
    let tables = tables();
    let of = |packet: &PacketBuilder| hash(&packet.build(), &tables).unwrap();
    for (client, vip) in
        [("198.51.100.10:4000", "203.0.113.10:80"), ("[2001:db8:1::10]:4000", "[2001:db8:a::10]:80")]
    {
        let flow = of(&tcp(client, vip));
        for packet in [
            tcp(client, vip).flags(SYN),
            tcp(client, vip).ttl(3),
            tcp(client, vip).payload(&[7; 900]),
            tcp(client, vip).vlan(5),
            tcp(client, vip).qinq(7, 8),
        ] {
            assert_eq!(of(&packet), flow, "{packet:?}");
        }
    }
    let options = tcp("198.51.100.10:4000", "203.0.113.10:80").ip_options(&[1; 8]);
    assert_eq!(of(&options), of(&tcp("198.51.100.10:4000", "203.0.113.10:80")));
}

#[test]
fn the_fragments_of_a_datagram_come_to_one_cpu() {
    let tables = tables();
    for (client, vip) in
        [("198.51.100.10:4000", "203.0.113.10:53"), ("[2001:db8:1::10]:4000", "[2001:db8:a::10]:53")]
    {
        let datagram = udp(client, vip).payload(&[3; 64]);
        let parts = [datagram.clone().fragment(0, true), datagram.fragment(9, false)];
        let hashes: BTreeSet<u64> =
            parts.iter().map(|part| hash(&part.build(), &tables).unwrap().to_bits()).collect();
        assert_eq!(hashes.len(), 1, "{parts:?}");
    }
}

#[test]
fn flows_use_all_cpus_about_equally() {
    let tables = tables();
    for cpus in [2, 3, 8] {
        let mut counts = vec![0_u32; cpus as usize];
        for port in 1..=8000_u16 {
            let packet = tcp(&format!("198.51.100.10:{port}"), "203.0.113.10:80").build();
            counts[hash(&packet, &tables).unwrap().cpu(cpus) as usize] += 1;
        }
        let fair = 8000 / cpus;
        assert!(counts.iter().all(|count| count.abs_diff(fair) < fair / 8), "{counts:?}");
    }
}

#[test]
fn errors_about_a_flow_are_spread_by_their_addresses() {
    let tables = tables();
    let about = |port: u16| {
        let quoted = tcp("203.0.113.10:80", &format!("198.51.100.10:{port}"));
        let error = icmp(3, 1, 0, "198.51.100.1", "203.0.113.10").quoting(&quoted, 48);
        hash(&error.build(), &tables).unwrap()
    };
    assert_eq!(about(1), about(2));
}
