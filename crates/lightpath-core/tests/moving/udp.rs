//! UDP does not show that a flow is new. What is promised: a flow that sends within [`UDP_LEARN`] of each change of the table,
//! and is not silent for [`IDLE_TIMEOUT`], keeps the backend of its first datagram while that serves.

use fastrand::Rng;
use lightpath_abi::{BackendNumber, IDLE_TIMEOUT, UDP_LEARN};
use lightpath_testkit::packet::{PacketBuilder, udp};

use crate::world::{VIP, World, endpoint, web};

struct Flow {
    client: u32,
    backend: BackendNumber,
    last: u32,
}

fn datagram(client: u32) -> PacketBuilder {
    udp(&endpoint(client), VIP).payload(b"")
}

fn open(world: &World, client: u32) -> Flow {
    Flow { client, backend: world.send(&datagram(client)).unwrap(), last: world.tables.now }
}

fn send(world: &World, seed: u64, flow: &mut Flow) {
    let backend = world.send(&datagram(flow.client));
    flow.last = world.tables.now;
    assert_eq!(backend, Some(flow.backend), "seed {seed}, client {}: {:#?}", flow.client, world.log);
}

fn send_all(world: &World, seed: u64, flows: &mut [Flow]) {
    for flow in flows {
        send(world, seed, flow);
    }
}

fn change_something(world: &mut World, rng: &mut Rng) {
    let taking: Vec<BackendNumber> =
        world.servers.iter().filter(|server| server.takes_flows()).map(|server| server.number).collect();
    let draining: Vec<BackendNumber> = world
        .servers
        .iter()
        .filter(|server| server.draining && !server.failed)
        .map(|server| server.number)
        .collect();
    let failed: Vec<BackendNumber> =
        world.servers.iter().filter(|server| server.failed).map(|server| server.number).collect();
    match rng.u8(..6) {
        0 if world.servers.len() < 12 => {
            world.add(1);
        }
        1 if taking.len() > 2 => world.drain(rng.choice(taking).unwrap()),
        2 if taking.len() > 2 => world.fail(rng.choice(taking).unwrap()),
        3 => {
            let weight = rng.u16(1..4);
            world.change(rng.choice(taking).unwrap(), |server| server.weight = weight);
        }
        4 => draining.into_iter().take(1).for_each(|number| world.undrain(number)),
        _ => failed.into_iter().take(1).for_each(|number| {
            world.recover(number);
        }),
    }
}

#[test]
fn flows_that_send_while_their_slots_are_learned_keep_their_backends() {
    for seed in 0..3 {
        let mut rng = Rng::with_seed(seed);
        let mut world = World::new(web().udp(), &[1, 1, 2, 2, 3], 499);
        let mut flows: Vec<Flow> = Vec::new();
        let mut clients = 0;
        for step in 0..1_000 {
            world.wait(rng.u32(0..20));
            if rng.u8(..10) == 0 {
                change_something(&mut world, &mut rng);
                flows.retain(|flow| world.serves(flow.backend));
                world.wait(rng.u32(..UDP_LEARN));
                send_all(&world, seed, &mut flows);
            }
            if step % 20 == 0 {
                world.settle();
            }
            for _ in 0..3 {
                flows.push(open(&world, clients));
                clients += 1;
            }
            for _ in 0..20 {
                let mut flow = flows.swap_remove(rng.usize(..flows.len()));
                if world.tables.now - flow.last > u32::from(IDLE_TIMEOUT) * 9 / 10 {
                    flows.push(open(&world, clients));
                    clients += 1;
                    continue;
                }
                send(&world, seed, &mut flow);
                if rng.u8(..100) >= 10 {
                    flows.push(flow);
                } else {
                    flows.push(open(&world, clients));
                    clients += 1;
                }
            }
        }
        assert!(world.log.len() > 50 && flows.len() > 100, "{} flows", flows.len());
    }
}

/// A drain: unknown flows are taken for old ones for so long, and for new ones from then on.
#[test]
fn unknown_flows_stay_on_the_previous_backend_while_it_is_learned_who_is_there() {
    for (second, learns) in [(0, true), (UDP_LEARN - 1, true), (UDP_LEARN, false), (500, false)] {
        let mut world = World::new(web().udp(), &[1, 1], 499);
        world.drain(1);
        world.wait(second);
        let on_the_drained = (0..500).filter(|client| open(&world, *client).backend == 1).count();
        assert_eq!(
            on_the_drained > 0,
            learns,
            "after {second} s: {on_the_drained} of 500 on the drained backend"
        );
    }
}

/// Flows that were learned live where an unknown flow would no longer go, so they must not make room.
#[test]
fn a_flood_pushes_out_no_flow_that_was_learned() {
    let mut world = World::new(web().udp(), &[1, 1], 499);
    let mut flows: Vec<Flow> = (0..500).map(|client| open(&world, client)).collect();
    world.drain(1);
    world.wait(1);
    send_all(&world, 0, &mut flows);
    world.wait(UDP_LEARN);
    for forged in 0..300_000 {
        world.send(&datagram(10_000_000 + forged));
    }
    send_all(&world, 0, &mut flows);
}
