//! Forged packets during a move: they may cost, but they take no flow from its backend.

use fastrand::Rng;
use lightpath_abi::{BackendNumber, IDLE_TIMEOUT};

use crate::world::{Connection, World, web};

/// Clients from here on are forged.
const FORGED: u32 = 10_000_000;

/// A flow and the backend it lives on.
type Flow = (Connection, BackendNumber);

fn world() -> World {
    World::new(web(), &[1, 1, 1, 1], 499)
}

/// Connections that finish their handshakes.
fn connect(world: &World, clients: std::ops::Range<u32>) -> Vec<Flow> {
    let connect = |client: u32| {
        let connection = Connection { client, sequence: client.wrapping_mul(0x9e37_79b1) };
        let backend = world.send(&connection.syn()).unwrap();
        assert_eq!(world.send(&connection.ack()), Some(backend), "client {client}");
        (connection, backend)
    };
    clients.map(connect).collect()
}

/// Every flow sends a segment so many bytes after its SYN, and reaches its backend.
fn assert_kept(world: &World, flows: &[Flow], ahead: u32) {
    for (connection, backend) in flows {
        assert_eq!(world.send(&connection.data(ahead)), Some(*backend), "{connection:?}");
    }
}

/// Flows from before a drain, and flows from during it; the latter live where an unknown flow would not go.
fn draining() -> (World, Vec<Flow>, Vec<Flow>) {
    let mut world = world();
    let old = connect(&world, 0..100);
    world.drain(1);
    world.wait(1);
    let promoted: Vec<Flow> = connect(&world, 1_000..3_000).into_iter().take(100).collect();
    (world, old, promoted)
}

/// In one second, and spread over several: the oldest SYN is pushed out, and age is counted in seconds.
#[test]
fn a_flood_of_syns_breaks_no_established_flow() {
    for seconds in [0, 30] {
        let (mut world, old, promoted) = draining();
        let mut rng = Rng::with_seed(7);
        for forged in 0..300_000 {
            world.send(&Connection { client: FORGED + forged, sequence: rng.u32(..) }.syn());
            if seconds > 0 && forged % 10_000 == 0 {
                world.wait(1);
            }
        }
        assert_kept(&world, &old, 200_000);
        assert_kept(&world, &promoted, 200_000);
    }
}

/// Each of them is remembered where an unknown flow goes, until there is no room.
#[test]
fn a_flood_of_segments_pushes_out_no_flow_that_needs_its_place() {
    let (world, old, promoted) = draining();
    for forged in 0..300_000 {
        world.send(&Connection { client: FORGED + forged, sequence: 1 }.data(5_000));
    }
    assert_kept(&world, &promoted, 200_000);
    assert_kept(&world, &old, 200_000);
    // Whoever comes now takes the place of a segment that finds its way without being remembered.
    let late = connect(&world, 5_000..5_100);
    assert_kept(&world, &late, 200_000);
}

#[test]
fn a_forged_syn_does_not_move_a_flow_that_is_remembered() {
    let (world, old, promoted) = draining();
    assert_kept(&world, &old, 2_000);
    for (connection, backend) in old.iter().chain(&promoted) {
        let forged = Connection { sequence: connection.sequence.wrapping_add(3_000), ..*connection };
        world.send(&forged.syn());
        assert_eq!(world.send(&connection.data(3_001)), Some(*backend), "{connection:?}");
    }
}

/// A flow older than the move that has not sent anything since.
#[test]
fn a_forged_syn_does_not_move_a_flow_that_is_not_remembered() {
    let (world, old, _) = draining();
    for (connection, backend) in &old {
        let forged = Connection { sequence: connection.sequence.wrapping_add(0x7000_0000), ..*connection };
        world.send(&forged.syn());
        assert_eq!(world.send(&connection.data(3_001)), Some(*backend), "{connection:?}");
    }
}

/// The acknowledgement of a handshake, or data up to 64 KiB after it when that was lost; nothing at or before the SYN.
#[test]
fn only_what_continues_its_sequence_number_belongs_to_a_syn() {
    let mut world = world();
    world.drain(1);
    let starts = [0, 1_000_000, u32::MAX];
    let aheads = [
        (1, true),
        (1_461, true),
        (65_536, true),
        (65_537, false),
        (0, false),
        (u32::MAX, false),
        (1 << 31, false),
    ];
    let mut told_apart = 0;
    let mut client = 0;
    for sequence in starts {
        for (ahead, continues) in aheads {
            for _ in 0..10 {
                client += 1;
                let connection = Connection { client, sequence };
                let taker = world.send(&connection.syn()).unwrap();
                // Where a flow of this slot goes that nobody heard of.
                let stranger = Connection { sequence: sequence.wrapping_add(1 << 30), ..connection };
                let unknown = world.clone().send(&stranger.data(0)).unwrap();
                let reached = world.send(&connection.data(ahead)).unwrap();
                assert_eq!(reached, if continues { taker } else { unknown }, "{ahead} after {sequence}");
                told_apart += u32::from(taker != unknown);
            }
        }
    }
    assert!(told_apart > 30, "{told_apart} flows of slots that move");
}

/// Once promoted, a flow is remembered whatever its sequence numbers are, and for as long as it is not idle.
#[test]
fn a_promoted_flow_outlives_its_syn() {
    let (mut world, _, promoted) = draining();
    world.undrain(1);
    for round in 1..=10_u32 {
        world.wait(u32::from(IDLE_TIMEOUT) - 1);
        world.settle();
        assert_kept(&world, &promoted, round.wrapping_mul(700_000_000));
    }
    assert!(world.moving() > 0, "their slots wait for them");
}
