//! Random changes under random TCP traffic. Nobody is *wronged*: no packet of a flow reaches another backend than the one
//! that took its SYN while that one could still serve.

use std::fmt::Write;
use std::time::Instant;

use fastrand::Rng;
use lightpath_abi::{BackendNumber, IDLE_TIMEOUT};

use crate::world::{Connection, World, web};

/// Longer than this no flow is silent: what the idle timeout promises, with room for the steps of the clock.
const LONGEST_SILENCE: u32 = IDLE_TIMEOUT as u32 * 9 / 10;

/// How much is simulated.
struct Scale {
    steps: u32,
    slots: u32,
    /// Flows opened in a step, of two seconds on average.
    opened: u32,
    /// Flows that send in a step.
    senders: usize,
}

struct Flow {
    connection: Connection,
    /// Bytes sent so far.
    sent: u32,
    backend: BackendNumber,
    last: u32,
    /// When it sent what to whom.
    story: Vec<(u32, &'static str, Option<BackendNumber>)>,
}

struct Simulation {
    seed: u64,
    rng: Rng,
    world: World,
    /// Whose SYN was sent.
    opening: Vec<Flow>,
    flows: Vec<Flow>,
    clients: u32,
    packets: u64,
    /// Packets while at least half of all slots were moving.
    packets_in_motion: u64,
}

impl Simulation {
    fn new(seed: u64, slots: u32) -> Self {
        let mut rng = Rng::with_seed(seed);
        let weights: Vec<u16> = (0..8).map(|_| rng.choice([1, 1, 2, 3]).unwrap()).collect();
        let world = World::new(web(), &weights, slots);
        let (opening, flows) = (Vec::new(), Vec::new());
        Self { seed, rng, world, opening, flows, clients: 0, packets: 0, packets_in_motion: 0 }
    }

    fn run(&mut self, scale: &Scale) {
        for step in 0..scale.steps {
            self.world.wait(self.rng.u32(0..=4));
            if self.rng.u32(..100) < 6 {
                self.change_something();
                self.world_moves_on();
            }
            if step % 20 == 0 {
                self.world.settle();
            }
            let before = self.packets;
            self.finish_handshakes();
            for _ in 0..scale.opened {
                self.open();
            }
            for _ in 0..scale.senders.min(self.flows.len()) {
                self.let_somebody_send();
            }
            if self.world.moving() * 2 > self.world.slots().count() {
                self.packets_in_motion += self.packets - before;
            }
        }
    }

    fn change_something(&mut self) {
        let world = &mut self.world;
        let rng = &mut self.rng;
        let mut pick = |filter: fn(&&crate::world::Server) -> bool| {
            let found: Vec<BackendNumber> =
                world.servers.iter().filter(filter).map(|server| server.number).collect();
            (found.len(), rng.choice(found))
        };
        let (taking, taker) = pick(|server| server.takes_flows());
        let (_, drained) = pick(|server| server.draining && !server.failed);
        let (_, failed) = pick(|server| server.failed);
        let (all, any) = pick(|_| true);
        match self.rng.u8(..7) {
            0 if all < 14 => {
                world.add(self.rng.u16(1..3));
            }
            1 => {
                let weight = self.rng.u16(1..4);
                world.change(any.unwrap(), |server| server.weight = weight);
            }
            2 if taking > 2 => world.drain(taker.unwrap()),
            3 => drained.into_iter().for_each(|number| world.undrain(number)),
            4 if taking > 2 => world.fail(taker.unwrap()),
            5 => {
                failed.map(|number| world.recover(number));
            }
            6 => {
                let mut flows = self.flows.iter().chain(&self.opening);
                if let Some(number) = drained
                    && flows.all(|flow| flow.backend != number)
                {
                    world.remove(number);
                }
            }
            _ => {}
        }
    }

    /// Flows whose backend failed are gone with it, but their packets reach one that serves.
    fn world_moves_on(&mut self) {
        let (flows, broken): (Vec<Flow>, Vec<Flow>) =
            self.flows.drain(..).partition(|flow| self.world.serves(flow.backend));
        self.flows = flows;
        self.opening.retain(|flow| self.world.serves(flow.backend));
        for flow in broken {
            let backend = self.world.send(&flow.connection.data(flow.sent));
            assert!(backend.is_some_and(|backend| self.world.serves(backend)), "{}", self.tell(&flow));
        }
    }

    fn open(&mut self) {
        let connection = Connection { client: self.clients, sequence: self.rng.u32(..) };
        self.clients += 1;
        self.packets += 1;
        let backend = self.world.send(&connection.syn());
        let now = self.world.tables.now;
        let number = backend.unwrap_or(0);
        let flow =
            Flow { connection, sent: 1, backend: number, last: now, story: vec![(now, "SYN", backend)] };
        let taken = self.world.servers.iter().any(|server| server.number == number && server.takes_flows());
        assert!(taken, "a new flow went to a backend that takes none: {}", self.tell(&flow));
        self.opening.push(flow);
    }

    /// Two thirds answer within the step, as round-trip times are.
    fn finish_handshakes(&mut self) {
        for mut flow in std::mem::take(&mut self.opening) {
            if self.rng.u8(..3) == 0 {
                self.opening.push(flow);
            } else {
                self.send(&mut flow, "ACK");
                self.flows.push(flow);
            }
        }
    }

    fn let_somebody_send(&mut self) {
        if self.flows.is_empty() {
            return;
        }
        let mut flow = self.flows.swap_remove(self.rng.usize(..self.flows.len()));
        if self.world.tables.now - flow.last > LONGEST_SILENCE {
            return;
        }
        flow.sent = flow.sent.wrapping_add(self.rng.u32(..60_000));
        self.send(&mut flow, "data");
        if self.rng.u8(..100) >= 4 {
            self.flows.push(flow);
        }
    }

    fn send(&mut self, flow: &mut Flow, what: &'static str) {
        self.packets += 1;
        let backend = self.world.send(&flow.connection.data(flow.sent));
        flow.last = self.world.tables.now;
        flow.story.push((flow.last, what, backend));
        assert_eq!(backend, Some(flow.backend), "{}", self.tell(flow));
    }

    /// What a failed test is understood by.
    fn tell(&self, flow: &Flow) -> String {
        let mut told = format!("seed {}: {:?}\n", self.seed, flow.connection);
        let mut events: Vec<(u32, String)> =
            self.world.log.iter().filter(|(when, _)| *when >= flow.story[0].0).cloned().collect();
        let own =
            flow.story.iter().map(|(when, what, backend)| (*when, format!("{what} went to {backend:?}")));
        events.extend(own);
        events.sort_by_key(|(when, _)| *when);
        for (when, what) in events {
            writeln!(told, "{when:>8}  {what}").unwrap();
        }
        told
    }
}

fn simulate(seed: u64, scale: &Scale) -> Simulation {
    let mut simulation = Simulation::new(seed, scale.slots);
    simulation.run(scale);
    simulation
}

#[test]
fn no_flow_is_wronged_by_random_changes() {
    let scale = Scale { steps: 2000, slots: 499, opened: 4, senders: 20 };
    for seed in 0..3 {
        let simulation = simulate(seed, &scale);
        assert!(simulation.world.log.len() > 60, "{} changes", simulation.world.log.len());
        assert!(
            simulation.packets_in_motion * 10 > simulation.packets,
            "only {} of {} packets while most slots moved",
            simulation.packets_in_motion,
            simulation.packets
        );
    }
}

/// `cargo test --release -p lightpath-core --test moving -- --ignored --nocapture`
#[test]
#[ignore = "for release builds: twenty seconds there, minutes otherwise"]
fn no_flow_of_a_million_is_wronged_by_ten_thousand_changes() {
    let began = Instant::now();
    let scale = Scale { steps: 270_000, slots: 1009, opened: 4, senders: 40 };
    let simulation = simulate(1, &scale);
    println!(
        "{} flows, {} changes, {} packets ({} while most slots moved) in {:?}",
        simulation.clients,
        simulation.world.log.len(),
        simulation.packets,
        simulation.packets_in_motion,
        began.elapsed()
    );
    assert!(simulation.clients >= 1_000_000 && simulation.world.log.len() >= 10_000);
}
