//! Where flows are placed: evenly, by the key, and the same on every node of every version.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use lightpath_abi::Slots;
use lightpath_core::wire::{TCP, UDP};
use lightpath_core::{FlowHash, Frame, HashKey, Part};

/// A table of the size that one service may have.
const TABLE: Slots = Slots::new(0, 251);

fn frame(source: &str, source_port: u16, destination: &str, destination_port: u16, protocol: u8) -> Frame {
    let [source, destination] = [source, destination].map(|text| text.parse::<IpAddr>().unwrap());
    Frame {
        network: 14,
        transport: 34,
        v4: source.is_ipv4(),
        source: source.into(),
        destination: destination.into(),
        source_port,
        destination_port,
        protocol,
        syn: false,
        flags: 0,
        sequence: 0,
        part: Part::Whole,
        identification: 0,
        dont_fragment: true,
        ttl: 64,
        tos: 0,
        length: 40,
        network_checksum: 0,
        transport_checksum: 0,
    }
}

/// How often each slot is used by so many frames per slot, as the chi-square statistic: 250 degrees of freedom, so 250 on
/// average, and more than 400 once in a hundred million.
fn chi_square(frames: impl Iterator<Item = Frame>, hash: impl Fn(&Frame) -> FlowHash) -> f64 {
    let mut used = vec![0_u32; TABLE.count() as usize];
    for frame in frames {
        used[hash(&frame).slot(TABLE) as usize] += 1;
    }
    let expected = f64::from(used.iter().sum::<u32>()) / f64::from(TABLE.count());
    used.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
}

#[test]
fn regular_flows_use_all_slots_evenly() {
    for seed in ["", "lightpath", "a", "b", "another seed that is longer"] {
        let key = HashKey::from_seed(seed);
        let flow = |frame: &Frame| FlowHash::of_flow(key, frame);
        let source = |frame: &Frame| FlowHash::of_source(key, frame);
        let client = |number: u32| format!("10.1.{}.{}", number >> 8 & 255, number & 255);
        let client6 = |number: u32| format!("2001:db8::{number:x}");
        let network6 = |number: u32| format!("2001:db8:{number:x}::1");
        let (vip, vip6) = ("203.0.113.10", "2001:db8:a::10");
        let samples = [
            (
                "ports of one client",
                chi_square((1024..=65_535).map(|port| frame("10.1.2.3", port, vip, 80, TCP)), flow),
            ),
            (
                "even ports",
                chi_square((16_384..32_767).map(|port| frame("10.1.2.3", port * 2, vip, 80, TCP)), flow),
            ),
            (
                "clients on one port",
                chi_square((0..50_000).map(|n| frame(&client(n), 5060, vip, 5060, UDP)), flow),
            ),
            (
                "three clients",
                chi_square(
                    (0..45_000_u16).map(|n| frame(&client(u32::from(n % 3)), 20_000 + n / 3, vip, 80, TCP)),
                    flow,
                ),
            ),
            (
                "every port of a VIP",
                chi_square((0..=65_535).map(|port| frame("10.1.2.3", 4000, vip, port, UDP)), flow),
            ),
            ("IPv6 hosts", chi_square((0..50_000).map(|n| frame(&client6(n), 4000, vip6, 80, TCP)), flow)),
            (
                "IPv6 networks",
                chi_square((0..50_000).map(|n| frame(&network6(n), 4000, vip6, 80, TCP)), flow),
            ),
            (
                "sticky clients",
                chi_square((0..50_000).map(|n| frame(&client(n), 4000, vip, 80, TCP)), source),
            ),
            (
                "sticky IPv6 networks",
                chi_square((0..50_000).map(|n| frame(&network6(n), 4000, vip6, 80, TCP)), source),
            ),
        ];
        for (what, statistic) in samples {
            assert!(statistic < 400.0, "seed {seed:?}, {what}: {statistic}");
        }
    }
}

#[test]
fn a_sticky_client_has_one_slot_for_all_its_flows() {
    let key = HashKey::from_seed("sticky");
    for client in ["198.51.100.10", "2001:db8:1::10"] {
        let vips =
            if client.contains(':') { ["2001:db8::1", "2001:db8::2"] } else { ["192.0.2.1", "192.0.2.2"] };
        let mut slots = BTreeSet::new();
        for vip in vips {
            for port in [1, 80, 443, 65_535] {
                for protocol in [TCP, UDP] {
                    slots.insert(
                        FlowHash::of_source(key, &frame(client, port ^ 7, vip, port, protocol)).slot(TABLE),
                    );
                }
            }
        }
        assert_eq!(slots.len(), 1, "{client}");
    }
}

/// Each part of the 5-tuple counts: two services that share a client's ports do not share its placement.
#[test]
fn every_part_of_the_flow_counts() {
    let key = HashKey::from_seed("parts");
    let wide = Slots::new(0, u32::MAX);
    for flows in [
        [
            frame("10.0.0.1", 4000, "192.0.2.1", 80, TCP),
            frame("10.0.0.2", 4000, "192.0.2.1", 80, TCP),
            frame("10.0.0.1", 4001, "192.0.2.1", 80, TCP),
            frame("10.0.0.1", 4000, "192.0.2.2", 80, TCP),
            frame("10.0.0.1", 4000, "192.0.2.1", 81, TCP),
            frame("10.0.0.1", 4000, "192.0.2.1", 80, UDP),
            frame("192.0.2.1", 80, "10.0.0.1", 4000, TCP),
        ],
        [
            frame("2001:db8::1", 4000, "2001:db8::f", 80, TCP),
            frame("2001:db8::2", 4000, "2001:db8::f", 80, TCP),
            frame("2001:db8:1::1", 4000, "2001:db8::f", 80, TCP),
            frame("2001:db8::1", 4001, "2001:db8::f", 80, TCP),
            frame("2001:db8::1", 4000, "2001:db8:1::f", 80, TCP),
            frame("2001:db8::1", 4000, "2001:db8::f", 80, UDP),
            frame("2001:db8::f", 80, "2001:db8::1", 4000, TCP),
        ],
    ] {
        let slots: BTreeSet<u32> = flows.iter().map(|flow| FlowHash::of_flow(key, flow).slot(wide)).collect();
        assert_eq!(slots.len(), flows.len());
    }
}

#[test]
fn another_seed_is_another_placement() {
    let [one, other] = ["one", "other"].map(HashKey::from_seed);
    let flows = (1024..=65_535).map(|port| frame("10.1.2.3", port, "203.0.113.10", 80, TCP));
    let slot = |key: HashKey, frame: &Frame| FlowHash::of_flow(key, frame).slot(TABLE);
    let alike = flows.filter(|frame| slot(one, frame) == slot(other, frame)).count();
    // By chance one in 251 is: 257 of them, give or take 16.
    assert!((177..=337).contains(&alike), "{alike}");
}

#[test]
fn slots_stay_within_the_service() {
    let key = HashKey::from_seed("bounds");
    for count in [1, 2, 3, 251, 65_537] {
        for port in 0..2000 {
            let slot = FlowHash::of_flow(key, &frame("10.1.2.3", port, "203.0.113.10", 80, TCP))
                .slot(Slots::new(1000, count));
            assert!((1000..1000 + count).contains(&slot));
        }
    }
}

/// Nodes of different versions have to agree, so these never change. They were computed apart from this code.
#[test]
fn placements_are_those_of_every_version() {
    let table = Slots::new(0, 65_537);
    let flows = [
        frame("198.51.100.10", 4000, "203.0.113.10", 80, TCP),
        frame("198.51.100.10", 4001, "203.0.113.10", 80, TCP),
        frame("198.51.100.10", 4000, "203.0.113.10", 53, UDP),
        frame("2001:db8:1::10", 4000, "2001:db8:a::10", 443, TCP),
    ];
    let keys = [
        ("", 0xc381_7c01_6ba4_ff30, 0x100c_daac_c0bc_9317),
        ("lightpath", 0x1aaa_d6f1_bf6a_8758, 0xfdc5_66d7_1241_3e29),
    ];
    let by_flow = [[44_930, 9996, 50_853, 37_126], [44_226, 42_784, 25_202, 59_299]];
    let by_source = [[50_911, 50_911, 50_911, 17_109], [8054, 8054, 8054, 12_144]];
    for (index, (seed, start, multiplier)) in keys.into_iter().enumerate() {
        let key = HashKey::from_seed(seed);
        assert_eq!(key, HashKey { start, multiplier });
        assert_eq!(flows.map(|flow| FlowHash::of_flow(key, &flow).slot(table)), by_flow[index]);
        assert_eq!(flows.map(|flow| FlowHash::of_source(key, &flow).slot(table)), by_source[index]);
    }
}
