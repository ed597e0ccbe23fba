//! The table of packets, on the host.

use std::collections::BTreeSet;

use lightpath_abi::BackendCounters;
use lightpath_core::Reason;
use lightpath_testkit::cases::{Expected, assert_all_hold, cases, contents, run_on_host};
use lightpath_testkit::node::Node;

#[test]
fn every_packet_of_the_table_comes_to_what_is_expected() {
    assert_all_hold(
        cases(&Node::default()).iter().map(|case| case.check_on_host(&contents(&case.node).host_tables())),
    );
}

#[test]
fn every_packet_of_the_table_is_counted_once() {
    assert_all_hold(cases(&Node::default()).iter().map(|case| {
        let tables = contents(&case.node).host_tables();
        for packet in &case.before {
            let _ = run_on_host(packet, &case.node, &tables);
        }
        tables.clear_counted();
        let _ = run_on_host(&case.packet, &case.node, &tables);
        let counted = tables.counted();
        let sum = |count: fn(&BackendCounters) -> u64| counted.backends.values().map(count).sum::<u64>();
        let forwarded = (
            sum(|backend| backend.packets + backend.reply_packets),
            sum(|backend| backend.bytes + backend.reply_bytes),
        );
        let dropped = (counted.reasons.iter().sum::<u64>(), counted.services.values().sum::<u64>());
        let expected = match case.expected {
            Expected::Drop(_) | Expected::Answer(Some(_), _) => ((0, 0), (1, 1)),
            Expected::Pass | Expected::Answer(None, _) => ((0, 0), (0, 0)),
            Expected::Send(..) => ((1, case.packet.len() as u64), (0, 0)),
        };
        let answered = u64::from(matches!(case.expected, Expected::Answer(..)));
        if (forwarded, dropped) == expected && counted.replies.iter().sum::<u64>() == answered {
            return Ok(());
        }
        Err(format!("{}: {counted:?}", case.what))
    }));
}

/// A reason that is new has to get a row, or stand here with the test that it has instead.
#[test]
fn every_reason_has_a_packet() {
    let in_the_table: BTreeSet<&str> = cases(&Node::default())
        .iter()
        .filter_map(|case| match case.expected {
            Expected::Drop(reason) => Some(reason.name()),
            _ => None,
        })
        .collect();
    for reason in Reason::ALL {
        // tests/reasons.rs: it takes a packet that cannot be written to.
        let elsewhere = reason == Reason::Rewrite;
        assert_ne!(in_the_table.contains(reason.name()), elsewhere, "{}", reason.name());
    }
}

#[test]
fn rows_are_told_apart_by_their_names() {
    let cases = cases(&Node::default());
    let names: BTreeSet<&str> = cases.iter().map(|case| case.what.as_str()).collect();
    assert_eq!(names.len(), cases.len());
}
