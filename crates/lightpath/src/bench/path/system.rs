//! A system between a generator and a sink, and what they have seen.

use anyhow::{Result, ensure};
use lightpath_dataplane::bench::{Generator, Sink as Program};
use lightpath_lab::{Namespace, veth};

use super::forwarder::Forwarder;
use crate::bench::balancer::LINK;
use crate::bench::frame::{OWN_MAC, PEER_MAC};
use crate::bench::statistics::nanoseconds;

/// Something that forwards, on a link of its own.
#[derive(Debug)]
pub(super) struct System {
    pub(super) name: String,
    pub(super) runs: Vec<Run>,
    /// Where generator and sink are.
    world: Namespace,
    sink: Sink,
    /// What forwards, for as long as it should, and where.
    _forwarder: Forwarder,
    _host: Namespace,
}

/// What was seen with so many flows.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) flows: u32,
    /// Nanoseconds for each packet that came back, by round.
    pub(super) times: Vec<f64>,
    generator: Generator,
    sent: u64,
    came_back: u64,
}

/// What counts packets that come back, and lets go of them.
#[derive(Debug)]
enum Sink {
    /// A program, for what a program has sent: without one at the other end a veth does not take that.
    Program(Program),
    /// The kernel, for what a kernel has sent, to a hardware address that nobody has. It would have to copy these packets for a
    /// program.
    Kernel,
}

impl Sink {
    fn packets(&self, world: &Namespace) -> Result<u64> {
        Ok(match self {
            Self::Program(program) => program.packets()?,
            Self::Kernel => world.received(LINK)?,
        })
    }
}

impl System {
    /// Makes the link, and has `forward` set up what forwards in the namespace at its far end. Packets go to where that says.
    pub(super) fn open(
        name: &str,
        flows: &[u32],
        forward: impl FnOnce(&Namespace) -> Result<(Forwarder, Vec<u8>)>,
    ) -> Result<Self> {
        let (world, host) = (Namespace::new("world")?, Namespace::new("forwarder")?);
        veth((&world, LINK), (&host, LINK))?;
        world.set_mac(LINK, PEER_MAC)?;
        host.set_mac(LINK, OWN_MAC)?;
        let (forwarder, packet) = forward(&host)?;
        let sink = match forwarder {
            Forwarder::Kernel => Sink::Kernel,
            _ => Sink::Program(world.run(|| Program::new(LINK))??),
        };
        let mut runs = Vec::new();
        for flows in flows.iter().copied() {
            let generator = world.run(|| Generator::new(LINK, packet.clone(), flows))??;
            runs.push(Run { flows, times: Vec::new(), generator, sent: 0, came_back: 0 });
        }
        Ok(Self { name: name.to_owned(), runs, world, sink, _forwarder: forwarder, _host: host })
    }

    /// Sends packets of each number of flows.
    pub(super) fn warm_up(&mut self, packets: u32) -> Result<()> {
        for run in &mut self.runs {
            self.world.run(|| run.generator.send(packets))??;
        }
        Ok(())
    }

    /// Sends packets of each number of flows, and remembers how long that took.
    pub(super) fn measure(&mut self, packets: u32) -> Result<()> {
        for run in &mut self.runs {
            let before = self.sink.packets(&self.world)?;
            let sent = self.world.run(|| run.generator.send(packets))??;
            let came_back = self.sink.packets(&self.world)? - before;
            ensure!(came_back > 0, "{}: of {packets} packets none came back", self.name);
            let share = count(came_back) / f64::from(packets);
            run.times.push(nanoseconds(sent.time) / count(sent.packets) / share);
            run.sent += u64::from(packets);
            run.came_back += came_back;
        }
        Ok(())
    }
}

impl Run {
    /// The share of packets that came back.
    pub(super) fn returned(&self) -> f64 {
        count(self.came_back) / count(self.sent)
    }
}

#[expect(clippy::cast_precision_loss, reason = "packets of a measurement are far fewer than 2^52")]
fn count(packets: u64) -> f64 {
    packets as f64
}
