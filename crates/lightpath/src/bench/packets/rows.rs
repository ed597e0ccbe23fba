//! What is measured, row by row.

use lightpath_dataplane::bench::BuiltIn;

use crate::bench::balancer::{Configuration, Forward, NAT4};
use crate::bench::frame::{Frame, Kind};

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    /// What packets go through.
    pub(super) subject: Measured,
    /// A power of two. [`ALL_NEW`] of them are more than are ever sent.
    pub(super) flows: u32,
    pub(super) frame: Frame,
    /// What the program must return, an `XDP_*` number; of somebody else's program it is not known.
    pub(super) action: Option<u32>,
    /// Flows are opened by this kind of packet before the first measurement.
    pub(super) opened_by: Option<Kind>,
    /// The program keeps each new flow for good, and has room for a limited number.
    pub(super) keeps_flows: bool,
}

/// A program that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measured {
    /// Lightpath, so configured.
    Balancer(Configuration),
    /// A program that it is compared with.
    BuiltIn(BuiltIn),
    /// One that the user names, by its place among them.
    Users(usize),
}

/// So many that each packet is the first of its flow.
pub(super) const ALL_NEW: u32 = 1 << 24;

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;

const K4: u32 = 1 << 12;
const K64: u32 = 1 << 16;
const K512: u32 = 1 << 19;
const M1: u32 = 1 << 20;
/// How the cost grows with the number of flows.
const ALL: [u32; 5] = [1, K4, K64, K512, M1];
/// What the table of remembered flows has room for.
const K16: u32 = 1 << 14;

const TCP4: Frame = Frame { v6: false, udp: false, kind: Kind::Established };
const UDP4: Frame = Frame { udp: true, ..TCP4 };
const TCP6: Frame = Frame { v6: true, ..TCP4 };
const UDP6: Frame = Frame { udp: true, ..TCP6 };
const SYN4: Frame = Frame { kind: Kind::Opening, ..TCP4 };
const REPLY4: Frame = Frame { kind: Kind::Reply, ..TCP4 };
const NOBODYS4: Frame = Frame { kind: Kind::Nobodys, ..TCP4 };

const NAT6: Configuration = Configuration { v6: true, ..NAT4 };
const MOVING4: Configuration = Configuration { moving: true, ..NAT4 };
const THOUSAND4: Configuration = Configuration { services: 1000, ..NAT4 };
const FULLNAT4: Configuration = Configuration { forward: Forward::FullNat, sessions: 1 << 18, ..NAT4 };
/// Of a million sessions, in 150 MB, half a million can be opened in the rounds of a measurement.
const NEW_SESSIONS4: Configuration = Configuration { sessions: 1 << 20, ..FULLNAT4 };

/// What every other row is compared with.
pub(super) fn floor() -> Row {
    built_in("floor: swap MAC addresses, XDP_TX", BuiltIn::Floor, XDP_TX, 1, TCP4)
}

/// All other rows, without programs of the user's.
pub(super) fn rows() -> Vec<Row> {
    let with = |forward| Configuration { forward, ..NAT4 };
    let mut rows = vec![built_in("XDP_DROP", BuiltIn::Discard, XDP_DROP, 1, TCP4)];
    let seed = |name: &str, flows, frame| built_in(name, BuiltIn::Seed, XDP_TX, flows, frame);
    rows.extend(ALL.map(|flows| seed("seed: TCP4 established", flows, TCP4)));
    rows.extend([1, K64].map(|flows| seed("seed: UDP4", flows, UDP4)));
    rows.push(Row { keeps_flows: true, ..seed("seed: TCP4 SYN, new flows", ALL_NEW, SYN4) });
    rows.push(Row { action: Some(XDP_PASS), ..seed("seed: TCP4 for nobody", 1, NOBODYS4) });

    rows.extend(ALL.map(|flows| row("TCP4 established, nat", NAT4, flows, TCP4)));
    rows.extend(ALL.map(|flows| row("TCP4 established, dsr", with(Forward::Dsr), flows, TCP4)));
    rows.extend([1, K512].map(|flows| row("TCP4 established, ipip", with(Forward::Ipip), flows, TCP4)));
    rows.extend([1, K64].map(|flows| row("TCP4 established, gue", with(Forward::Gue), flows, TCP4)));
    // A connection that nobody answers is soon forgotten; of so many, each is met in nearly every round.
    rows.extend([1, K4].map(|flows| Row {
        opened_by: Some(Kind::Opening),
        ..row("TCP4 established, fullnat", FULLNAT4, flows, TCP4)
    }));
    rows.extend([1, K64].map(|flows| row("UDP4, fullnat", FULLNAT4, flows, UDP4)));
    rows.push(Row { keeps_flows: true, ..row("UDP4, fullnat, new sessions", NEW_SESSIONS4, ALL_NEW, UDP4) });
    rows.extend([1, K64].map(|flows| row("UDP4, nat", NAT4, flows, UDP4)));
    rows.extend([1, K64].map(|flows| row("TCP6 established, nat", NAT6, flows, TCP6)));
    rows.extend([1, K64].map(|flows| row("UDP6, nat", NAT6, flows, UDP6)));
    rows.push(row("TCP4 SYN, nat, new flows", NAT4, ALL_NEW, SYN4));
    rows.extend([1, K16].map(|flows| row("TCP4 established, nat, moving slot", MOVING4, flows, TCP4)));
    rows.push(row("TCP4 SYN, nat, moving slot, new flows", MOVING4, ALL_NEW, SYN4));
    rows.extend([1, K64].map(|flows| row("TCP4 reply, nat", NAT4, flows, REPLY4)));
    rows.extend([1, K64].map(|flows| row("TCP4 established, nat, 1,000 services", THOUSAND4, flows, TCP4)));
    for (name, configuration) in [("TCP4 for nobody", NAT4), ("TCP4 for nobody, 1,000 services", THOUSAND4)] {
        rows.push(Row { action: Some(XDP_PASS), ..row(name, configuration, 1, NOBODYS4) });
    }
    rows
}

/// The rows of a program of the user's.
pub(super) fn users(place: usize, program: &str) -> Vec<Row> {
    let row = |name: &str, flows, frame| Row {
        name: format!("{program}: {name}"),
        subject: Measured::Users(place),
        flows,
        frame,
        action: None,
        opened_by: None,
        keeps_flows: false,
    };
    let mut rows: Vec<Row> = ALL.map(|flows| row("TCP4 established", flows, TCP4)).into_iter().collect();
    rows.extend([1, K64].map(|flows| row("UDP4", flows, UDP4)));
    rows.extend([1, K64].map(|flows| row("TCP6 established", flows, TCP6)));
    rows.push(row("TCP4 SYN, new flows", ALL_NEW, SYN4));
    rows.push(row("TCP4 for nobody", 1, NOBODYS4));
    rows
}

fn row(name: &str, configuration: Configuration, flows: u32, frame: Frame) -> Row {
    Row {
        name: name.to_owned(),
        subject: Measured::Balancer(configuration),
        flows,
        frame,
        action: Some(XDP_TX),
        opened_by: None,
        keeps_flows: false,
    }
}

fn built_in(name: &str, program: BuiltIn, action: u32, flows: u32, frame: Frame) -> Row {
    Row { subject: Measured::BuiltIn(program), action: Some(action), ..row(name, NAT4, flows, frame) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rows_are_told_apart_by_their_name_and_flows() {
        let rows = rows();
        let distinct: BTreeSet<(&str, u32)> = rows.iter().map(|row| (row.name.as_str(), row.flows)).collect();
        assert_eq!(distinct.len(), rows.len());
    }

    #[test]
    fn flows_are_powers_of_two() {
        assert!(rows().iter().all(|row| row.flows.is_power_of_two()));
    }
}
