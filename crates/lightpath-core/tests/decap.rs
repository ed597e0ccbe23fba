//! The other end of tunnels, on the host.

use std::collections::BTreeSet;

use lightpath_core::host::HostTunnelEnd;
use lightpath_core::{Fate, Format, OutOfBounds, Packet, Refusal, SlicePacket, decapsulate};
use lightpath_testkit::cases::assert_all_hold;
use lightpath_testkit::decap::{
    DecapCase, DecapExpected, Tunnels, decap_cases, decapsulate_on_host, tunnel_end,
};
use lightpath_testkit::packet::tcp;
use lightpath_testkit::{Action, assert_packets_equal};
use proptest::prelude::*;

#[test]
fn every_packet_of_the_table_comes_to_what_is_expected() {
    for strict in [false, true] {
        assert_all_hold(decap_cases().iter().map(|case: &DecapCase| {
            let end = tunnel_end(strict);
            let (action, packet) = decapsulate_on_host(&case.packet, &end);
            case.check(strict, action as u32, &packet, &end.counted.borrow())
        }));
    }
}

#[test]
fn every_refusal_has_a_packet() {
    let in_the_table: BTreeSet<&str> = decap_cases()
        .iter()
        .filter_map(|case| match case.expected {
            DecapExpected::Refused(refusal) => Some(refusal.name()),
            _ => None,
        })
        .collect();
    for refusal in Refusal::ALL {
        // `a_packet_that_cannot_be_moved_is_dropped`: it takes one that the kernel does not make.
        let elsewhere = refusal == Refusal::Rewrite;
        assert_ne!(in_the_table.contains(refusal.name()), elsewhere, "{}", refusal.name());
    }
}

#[test]
fn rows_are_told_apart_by_their_names() {
    let cases = decap_cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.what.as_str()).collect();
    assert_eq!(names.len(), cases.len());
}

/// CVE-2024-7596: whoever nests tunnels must not reach further than the first one leads.
#[test]
fn one_tunnel_comes_off_and_not_two() {
    let inner = tcp("198.51.100.10:4000", "203.0.113.30:80").in_ip("10.0.0.1", "10.0.0.40").build();
    let nested = [&inner[..14], &outer_around(&inner[14..]), &inner[14..]].concat();
    let (action, packet) = decapsulate_on_host(&nested, &tunnel_end(false));
    assert_eq!(action, Action::Pass);
    assert_packets_equal("the inner tunnel is left", &inner, &packet);
}

/// An IPv4 header of the listed source to the host around so many bytes.
fn outer_around(packet: &[u8]) -> Vec<u8> {
    let template = tcp("198.51.100.10:4000", "203.0.113.30:80").payload(&vec![0; packet.len() - 40]);
    template.in_ip("10.0.0.1", "10.0.0.40").build()[14..34].to_vec()
}

/// A packet whose front stays where it is.
struct Fixed<'a>(SlicePacket<'a>);

impl Packet for Fixed<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn total_length(&self) -> usize {
        self.0.total_length()
    }

    fn load<const N: usize>(&self, offset: usize) -> Result<[u8; N], OutOfBounds> {
        self.0.load(offset)
    }

    fn store<const N: usize>(&mut self, offset: usize, bytes: [u8; N]) -> Result<(), OutOfBounds> {
        self.0.store(offset, bytes)
    }

    fn push(&mut self, _bytes: usize) -> Result<(), OutOfBounds> {
        Err(OutOfBounds)
    }

    fn pull(&mut self, _bytes: usize) -> Result<(), OutOfBounds> {
        Err(OutOfBounds)
    }

    fn truncate(&mut self, _length: usize) -> Result<(), OutOfBounds> {
        Err(OutOfBounds)
    }
}

#[test]
fn a_packet_that_cannot_be_moved_is_dropped() {
    let end = tunnel_end(false);
    let mut packet = tcp("198.51.100.10:4000", "203.0.113.30:80").in_ip("10.0.0.1", "10.0.0.40").build();
    assert_eq!(decapsulate(&mut Fixed(SlicePacket(&mut packet)), &end), Fate::Drop);
    let counted = end.counted.borrow();
    assert_eq!((counted.refused(Refusal::Rewrite), counted.of(Format::Ipip).packets), (1, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_arrives_does_harm(seed in any::<u64>(), strict in any::<bool>()) {
        for packet in Tunnels::new(seed).take(20) {
            does_no_harm(&packet, &tunnel_end(strict));
        }
    }

    #[test]
    fn no_bytes_at_all_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..150), strict in any::<bool>()) {
        does_no_harm(&bytes, &tunnel_end(strict));
    }

    #[test]
    fn a_packet_cut_anywhere_does_no_harm(seed in any::<u64>()) {
        for packet in Tunnels::new(seed).take(1) {
            for length in 0..packet.len() {
                does_no_harm(&packet[..length], &tunnel_end(false));
            }
        }
    }
}

/// A packet is unwrapped, and then it is the end of what came but for its Ethernet header and its ECN field; or it is left as it
/// was. It is counted once, or not at all when it is the kernel's.
fn does_no_harm(packet: &[u8], end: &HostTunnelEnd) {
    let (action, left) = decapsulate_on_host(packet, end);
    let counted = end.counted.borrow();
    let unwrapped: u64 = counted.unwrapped.iter().map(|format| format.packets).sum();
    let refused: u64 = counted.refused.iter().sum();
    assert!(unwrapped + refused <= 1);
    if unwrapped == 0 {
        let passed = refused == 0 || counted.refused(Refusal::UnlistedSource) == 1 && !end.strict;
        assert_eq!(action, if passed { Action::Pass } else { Action::Drop });
        assert_packets_equal("not unwrapped", packet, &left);
        return;
    }
    assert_eq!(action, Action::Pass);
    let moved = packet.len() - left.len();
    assert!((20..=40 + 8 + 128).contains(&moved));
    // Two bytes of the version and the ECN field, and IPv4's checksum, may differ.
    let network = if left[12..14] == [0x81, 0] || left[12..14] == [0x88, 0xa8] { 18 } else { 14 };
    let network = if network == 18 && left[16..18] == [0x81, 0] { 22 } else { network };
    assert_eq!(left[..network - 2], packet[..network - 2]);
    assert_eq!(left[network + 12..], packet[moved + network + 12..]);
}

/// Random packets are worth something only if all ways are taken.
#[test]
fn generated_packets_take_every_way() {
    let end = tunnel_end(false);
    for packet in Tunnels::new(1).take(20_000) {
        let _ = decapsulate_on_host(&packet, &end);
    }
    let counted = end.counted.borrow();
    for format in Format::ALL {
        assert!(counted.of(format).packets > 1000, "{counted:?}");
    }
    for refusal in Refusal::ALL {
        assert_eq!(
            counted.refused(refusal) == 0,
            refusal == Refusal::Rewrite,
            "{}: {counted:?}",
            refusal.name()
        );
    }
}
