//! Ports: each is somebody's alone.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use lightpath_abi::{Claim, Session};
use lightpath_core::{Reason, ReplyKind};
use lightpath_testkit::Setup;
use lightpath_testkit::node::Node;
use lightpath_testkit::packet::{ACK, FIN};

use crate::flow::{Opened, Sent, client, node, open, send, web};

/// Pitfall "connection reuse": a client port used again within seconds stalls.
#[test]
fn a_client_port_that_is_used_again_gets_another_port_at_once() {
    let tables = node(&Setup::new().with(web()));
    let mut ports = BTreeSet::new();
    for connection in 0..20 {
        let flow = open(&tables, &client(1), connection * 1_000_003).unwrap();
        assert!(ports.insert(flow.node.port()), "port {} rests not yet", flow.node.port());
        // A SYN sent again is no new connection.
        assert_eq!(open(&tables, &client(1), connection * 1_000_003).unwrap().node, flow.node);
        flow.establish(&tables);
        send(&tables, &flow.client_sends(FIN | ACK));
        send(&tables, &flow.backend_sends(FIN | ACK));
        assert!(flow.lives(&tables));
    }
    assert_eq!(tables.sessions().count(), 1, "those that were left are over");
}

/// Pitfall "port pool": exhaustion and collisions.
#[test]
fn ports_run_out_only_when_all_are_in_use_and_then_clients_are_told_at_once() {
    let setup = || Setup::new().snat_ports(61_000, 61_007).sessions(1 << 12);
    let mut tables = node(&setup().with(web().refusing()));
    let flows: Vec<Opened> = (0..8).map(|number| open(&tables, &client(number), number).unwrap()).collect();
    let ports: BTreeSet<u16> = flows.iter().map(|flow| flow.node.port()).collect();
    assert_eq!(ports, (61_000..=61_007).collect());
    let reset = Sent::Answered(ReplyKind::Reset, Reason::PortsExhausted);
    assert_eq!(open(&tables, &client(8), 8).unwrap_err(), reset);
    assert!(flows.iter().all(|flow| flow.lives(&tables)));
    // One is over, and its place is the next one's.
    tables.now += 20;
    for flow in &flows[1..] {
        flow.establish(&tables);
    }
    tables.now += 11;
    let next = open(&tables, &client(9), 9).unwrap();
    assert_eq!(next.node, flows[0].node);
    assert!(!flows[0].lives(&tables) && flows[1..].iter().all(|flow| flow.lives(&tables)));

    let quiet = node(&setup().with(web()));
    for number in 0..8 {
        open(&quiet, &client(number), number).unwrap();
    }
    let dropped = Sent::Dropped(Reason::PortsExhausted);
    assert_eq!(open(&quiet, &client(8), 8).unwrap_err(), dropped);
    assert_eq!(quiet.counted().reasons[Reason::PortsExhausted as usize], 1);
}

/// Places are found by hashes: some are taken twice long before all are in use.
#[test]
fn the_first_flow_is_turned_away_when_about_two_fifths_of_all_sessions_are_in_use() {
    const SESSIONS: u32 = 1 << 16;
    let hop = || Node::default().backend_hop();
    let service = web().backend("10.0.0.2:8080", hop()).backend("10.0.0.3:8080", hop());
    let tables = node(&Setup::new().snat_ports(1024, 65_535).sessions(SESSIONS).with(service));
    let turned_away =
        (0..SESSIONS).position(|number| open(&tables, &client(number), number).is_err()).unwrap();
    println!("the first of {SESSIONS} is number {turned_away}");
    assert!((SESSIONS as usize * 3 / 10..SESSIONS as usize / 2).contains(&turned_away), "{turned_away}");
}

#[test]
fn of_threads_that_want_one_place_one_gets_it() {
    let places: Vec<Session> = vec![Session::default(); 64];
    let start = Barrier::new(4);
    let claims: Vec<usize> = thread::scope(|scope| {
        let run = |number: u32| {
            start.wait();
            let own = Claim { key: 1 << 31 | number, since: 5 }.to_word();
            (0..places.len()).filter(|place| places[*place].claim.exchange(0, own)).count()
        };
        let threads: Vec<_> = (0..4).map(|number| scope.spawn(move || run(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(claims.iter().sum::<usize>(), places.len(), "{claims:?}");
}
