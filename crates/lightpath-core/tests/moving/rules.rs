//! The rules of moving slots, one by one.

use lightpath_abi::{BackendNumber, FlowTable, IDLE_TIMEOUT};
use lightpath_core::Tables;
use lightpath_testkit::packet;

use crate::world::{Connection, VIP, World, endpoint, web};

const TIMEOUT: u32 = IDLE_TIMEOUT as u32;

/// A TCP flow that was opened while backend 1 drained, in a slot of backend 1: unknown, it would go there.
fn opened_during_a_drain() -> (World, Connection, BackendNumber) {
    let mut world = World::new(web(), &[1, 1, 1, 1], 499);
    let client = client_of(&world, 1);
    world.drain(1);
    let connection = Connection { client, sequence: 77 };
    let backend = world.send(&connection.syn()).unwrap();
    assert_ne!(backend, 1);
    assert_eq!(world.send(&connection.ack()), Some(backend));
    (world, connection, backend)
}

/// A client that settled slots send to this backend.
fn client_of(world: &World, backend: BackendNumber) -> u32 {
    let mut clients = 0..;
    clients
        .find(|client| world.send(&Connection { client: *client, sequence: 0 }.data(1)) == Some(backend))
        .unwrap()
}

fn remembered(world: &World, table: FlowTable) -> usize {
    (0..table.places()).filter(|place| world.tables.flow(table, *place).unwrap().key != 0).count()
}

#[test]
fn nothing_is_remembered_of_flows_in_settled_slots() {
    let world = World::new(web(), &[1, 1, 1], 499);
    for client in 0..1_000 {
        let connection = Connection { client, sequence: client };
        let backend = world.send(&connection.syn());
        assert_eq!(world.send(&connection.ack()), backend);
    }
    assert_eq!(remembered(&world, FlowTable::Established) + remembered(&world, FlowTable::HalfOpen), 0);
}

#[test]
fn a_syn_is_not_remembered_as_an_established_flow() {
    let mut world = World::new(web(), &[1, 1, 1], 499);
    world.drain(1);
    for client in 0..1_000 {
        world.send(&Connection { client, sequence: client }.syn());
    }
    assert_eq!(remembered(&world, FlowTable::Established), 0);
    assert!(remembered(&world, FlowTable::HalfOpen) > 200);
}

#[test]
fn an_entry_older_than_the_idle_timeout_counts_as_absent() {
    for (silence, kept) in [(TIMEOUT, true), (TIMEOUT + 1, false)] {
        let (mut world, connection, backend) = opened_during_a_drain();
        world.wait(silence);
        assert_eq!(world.send(&connection.data(9)), Some(if kept { backend } else { 1 }), "{silence} s");
    }
}

#[test]
fn a_syn_older_than_the_idle_timeout_counts_as_absent() {
    for (silence, kept) in [(TIMEOUT, true), (TIMEOUT + 1, false)] {
        let mut world = World::new(web(), &[1, 1, 1, 1], 499);
        let connection = Connection { client: client_of(&world, 1), sequence: 77 };
        world.drain(1);
        let backend = world.send(&connection.syn()).unwrap();
        world.wait(silence);
        assert_eq!(world.send(&connection.ack()), Some(if kept { backend } else { 1 }), "{silence} s");
    }
}

#[test]
fn a_flow_whose_backend_stopped_serving_goes_on_to_one_that_serves() {
    let (mut world, connection, backend) = opened_during_a_drain();
    world.fail(backend);
    let next = world.send(&connection.data(9)).unwrap();
    assert!(next != backend && world.serves(next));
    // It stays there, also when the first one returns.
    world.recover(backend);
    assert_eq!(world.send(&connection.data(9)), Some(next));
}

/// Between a failed health check and the new table.
#[test]
fn an_entry_of_a_backend_that_does_not_serve_counts_as_absent_at_once() {
    let (mut world, connection, backend) = opened_during_a_drain();
    world.tables.backends_mut().get_mut(&backend).unwrap().serving = 0;
    assert_eq!(world.send(&connection.data(9)), Some(1));
}

/// Cilium's issues 8037 and 18632: an entry outlives its backend, and sends traffic to an unrelated service.
#[test]
fn a_remembered_flow_never_leads_to_a_backend_of_another_service() {
    let (mut world, connection, backend) = opened_during_a_drain();
    world.tables.backends_mut().get_mut(&backend).unwrap().service += 1;
    assert_eq!(world.send(&connection.data(9)), Some(1));
}

#[test]
fn flows_that_differ_in_one_field_are_different_flows() {
    let mut world = World::new(web(), &[1, 1], 499);
    let connection = Connection { client: client_of(&world, 1), sequence: 77 };
    world.drain(1);
    assert_eq!(world.send(&connection.syn()), Some(2));
    let of = |source: &str| packet::tcp(source, VIP).sequence(connection.sequence + 1);
    let source = endpoint(connection.client);
    let (address, port) = source.rsplit_once(':').unwrap();
    assert_eq!(world.send(&of(&source)), Some(2));
    let before = remembered(&world, FlowTable::Established);
    // Each is a flow that nobody heard of: where its slot moves it gets an entry of its own, on the drained backend.
    let mut strangers = 0;
    for other in 1..=200_u16 {
        let port: u16 = port.parse().unwrap();
        let by_port = format!("{address}:{}", port + other);
        let by_address = format!("172.16.0.{other}:{port}");
        for stranger in [by_port, by_address] {
            strangers += usize::from(world.send(&of(&stranger)) == Some(1));
        }
    }
    assert_eq!(remembered(&world, FlowTable::Established) - before, strangers);
    assert!(strangers > 50, "{strangers} of 400 in slots that move");
    assert_eq!(world.send(&of(&source)), Some(2));
}

/// The last backend drains, then the one before it: nobody takes new flows, those there are stay.
#[test]
fn draining_the_last_backend_keeps_its_flows_and_refuses_new_ones() {
    let mut world = World::new(web(), &[1, 1], 499);
    let connections: Vec<Connection> =
        (0..200).map(|client| Connection { client, sequence: client * 1_000 }).collect();
    let backends: Vec<_> = connections.iter().map(|connection| world.send(&connection.syn())).collect();
    world.drain(1);
    let late: Vec<Connection> =
        (200..400).map(|client| Connection { client, sequence: client * 1_000 }).collect();
    for connection in &late {
        assert_eq!(world.send(&connection.syn()), Some(2));
        assert_eq!(world.send(&connection.ack()), Some(2));
    }
    world.drain(2);
    assert!(world.slots().all(|slot| slot.current == 0));
    for minutes in 0..30 {
        for (connection, backend) in connections.iter().zip(&backends) {
            assert_eq!(world.send(&connection.data(minutes * 100_000 + 1)), *backend);
        }
        for connection in &late {
            assert_eq!(world.send(&connection.data(minutes * 100_000 + 1)), Some(2));
        }
        assert_eq!(world.send(&Connection { client: 1_000 + minutes, sequence: 5 }.syn()), None);
        world.wait(60);
        world.settle();
    }
    // The first of them fails: its flows are lost, but not those that are remembered with the second.
    world.fail(1);
    for connection in &late {
        assert_eq!(world.send(&connection.data(1)), Some(2));
    }
}

#[test]
fn flows_of_a_sticky_service_stay_too() {
    let mut world = World::new(web().sticky(), &[1, 1, 1, 1], 499);
    // Several flows of each source.
    let sources: Vec<String> = (1..=100_u16).map(|host| format!("172.16.0.{host}")).collect();
    let send = |world: &World, source: &str, port: u16, syn: bool| {
        let packet = packet::tcp(&format!("{source}:{port}"), VIP);
        world.send(&if syn { packet.flags(packet::SYN) } else { packet.sequence(1_000_001) })
    };
    let mut flows = Vec::new();
    for (source, port) in sources.iter().flat_map(|source| (1..=3_u16).map(move |port| (source, port))) {
        flows.push((source, port, send(&world, source, port, true)));
    }
    for (drained, first_port) in [(1, 10_u16), (2, 20), (3, 30)] {
        world.drain(drained);
        for source in &sources {
            let backend = send(&world, source, first_port, true);
            assert_eq!(
                send(&world, source, first_port + 1, true),
                backend,
                "new flows of {source} stay together"
            );
            for port in [first_port, first_port + 1] {
                assert_eq!(send(&world, source, port, false), backend);
                flows.push((source, port, backend));
            }
            assert!(backend.is_some_and(|backend| backend > drained));
        }
        for (source, port, backend) in &flows {
            assert_eq!(send(&world, source, *port, false), *backend, "{source}:{port}");
        }
        world.wait(100);
        world.settle();
    }
}

/// Cilium's issue 27096: stickiness that ignores draining.
#[test]
fn a_sticky_client_opens_no_more_flows_on_a_draining_backend_and_keeps_those_it_has() {
    let mut world = World::new(web().sticky(), &[1, 1, 1, 1], 499);
    let send = |world: &World, client: u16, port: u16| {
        let packet = packet::tcp(&format!("172.16.0.{client}:{port}"), VIP);
        [world.send(&packet.clone().flags(packet::SYN)), world.send(&packet.sequence(1_000_001))]
    };
    let (client, _) = (1..=100)
        .map(|client| (client, send(&world, client, 1)))
        .find(|(_, at)| *at == [Some(1); 2])
        .unwrap();
    world.drain(1);
    for port in 2..50 {
        let [syn, ack] = send(&world, client, port);
        assert!(syn != Some(1) && syn == ack, "port {port}: {syn:?}, {ack:?}");
    }
    let old = packet::tcp(&format!("172.16.0.{client}:1"), VIP).sequence(1_000_002);
    assert_eq!(world.send(&old), Some(1));
}

#[test]
fn slots_settle_when_the_move_is_older_than_the_idle_timeout() {
    let mut world = World::new(web(), &[1, 1], 499);
    world.drain(1);
    let moving = world.moving();
    assert!(moving > 200);
    world.wait(TIMEOUT);
    world.settle();
    assert_eq!(world.moving(), moving);
    world.wait(1);
    world.settle();
    assert_eq!(world.moving(), 0);
}

/// The handshake of a flow that began on the backend that went again is not cut off.
#[test]
fn slots_that_moved_back_settle_after_a_handshake() {
    let mut world = World::new(web(), &[1, 1], 499);
    let connection = Connection { client: client_of(&world, 1), sequence: 77 };
    world.drain(1);
    assert_eq!(world.send(&connection.syn()), Some(2));
    world.undrain(1);
    world.wait(60);
    world.settle();
    assert_eq!(world.send(&connection.ack()), Some(2));
    world.wait(5);
    world.settle();
    assert_eq!(world.moving(), 1, "the slot of the flow that stayed on backend 2");
    world.wait(TIMEOUT);
    world.settle();
    assert_eq!(world.moving(), 0);
}
