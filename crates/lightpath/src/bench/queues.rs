//! Two receive queues on two CPUs beside one: what a second CPU adds.
//!
//! One virtual link has two queues. A generator for each CPU sends by it, and what it sends is received, balanced, sent back and
//! counted on that CPU, by one program over the same tables. So it is the program, and what its CPUs share, that is measured.

use std::sync::Barrier;
use std::thread;

use anyhow::{Context, Result, ensure};
use lightpath_control::host::queues::set_channels;
use lightpath_dataplane::bench::{Generator, Sink};
use lightpath_lab::{Namespace, veth};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::balancer::{Forward, LINK};
use super::frame::{OWN_MAC, PEER_MAC};
use super::path::Forwarder;
use super::progress::Progress;
use super::report::queues::Queues;
use super::statistics::{median, nanoseconds};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    rounds: u32,
}

/// The usual.
pub(super) const USUAL: Effort = Effort { rounds: 75 };
/// A first look.
pub(super) const QUICK: Effort = Effort { rounds: 5 };

/// Packets of each CPU in a round: both have to be at work for most of it.
const PACKETS: u32 = 200_000;
const FLOWS: u32 = 1 << 16;

/// Measures one queue, the other, and both at once, round by round.
pub(super) fn measure(effort: Effort, progress: &Progress) -> Result<Queues> {
    let cpus = two_cpus()?;
    progress.say("building a link with two queues");
    lightpath_lab::isolate()?;
    let (world, host) = (Namespace::new("world")?, Namespace::new("forwarder")?);
    veth((&world, LINK), (&host, LINK))?;
    for end in [&world, &host] {
        end.run(|| set_channels(LINK, 2))??;
    }
    world.set_mac(LINK, PEER_MAC)?;
    host.set_mac(LINK, OWN_MAC)?;
    let (_forwarder, packet) = Forwarder::lightpath(&host, Forward::Nat)?;
    let sink = world.run(|| Sink::new(LINK))??;
    let generator =
        || -> Result<Generator> { Ok(world.run(|| Generator::new(LINK, packet.clone(), FLOWS))??) };
    let mut generators = [generator()?, generator()?];

    let mut rounds: Vec<[f64; 3]> = Vec::new();
    progress.begin("measuring queues", u64::from(effort.rounds));
    for _ in 0..effort.rounds {
        let [first, second] = &mut generators;
        rounds.push([
            rate(&world, &sink, &mut [(cpus[0], first)])?,
            rate(&world, &sink, &mut [(cpus[1], second)])?,
            rate(&world, &sink, &mut [(cpus[0], first), (cpus[1], second)])?,
        ]);
        progress.step();
    }
    let of = |figure: fn(&[f64; 3]) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
    Ok(Queues {
        rounds: effort.rounds,
        packets: PACKETS,
        one: of(|[first, second, _]| f64::midpoint(*first, *second)),
        both: of(|[_, _, both]| *both),
        times: of(|[first, second, both]| both / f64::midpoint(*first, *second)),
    })
}

/// Packets in a second that come back, of generators on their CPUs at one time.
fn rate(world: &Namespace, sink: &Sink, at_work: &mut [(usize, &mut Generator)]) -> Result<f64> {
    let before = sink.packets()?;
    let start = Barrier::new(at_work.len());
    let sent: Vec<Result<f64>> = thread::scope(|scope| {
        let threads: Vec<_> = at_work
            .iter_mut()
            .map(|(cpu, generator)| {
                let start = &start;
                scope.spawn(move || world.run(|| on_cpu(*cpu, || send(generator, start)))?)
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a generator does not panic")).collect()
    });
    let sent = sent.into_iter().sum::<Result<f64>>()?;
    let expected = u64::from(PACKETS) * u64::try_from(at_work.len())?;
    let came_back = sink.packets()? - before;
    ensure!(came_back > 0, "of {expected} packets none came back");
    #[expect(clippy::cast_precision_loss, reason = "packets of a measurement are far fewer than 2^52")]
    let share = came_back as f64 / expected as f64;
    Ok(sent * share)
}

/// Packets in a second that are sent, once all are ready to.
fn send(generator: &mut Generator, start: &Barrier) -> Result<f64> {
    start.wait();
    let sent = generator.send(PACKETS)?;
    #[expect(clippy::cast_precision_loss, reason = "packets of a measurement are far fewer than 2^52")]
    let packets = sent.packets as f64;
    Ok(packets * 1e9 / nanoseconds(sent.time))
}

fn on_cpu<T>(cpu: usize, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut one = CpuSet::new();
    one.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &one).with_context(|| format!("cannot stay on CPU {cpu}"))?;
    work()
}

fn two_cpus() -> Result<[usize; 2]> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let mut cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    let two = cpus
        .next()
        .zip(cpus.next())
        .context("two queues need two CPUs, and this process may run on one only")?;
    Ok(two.into())
}
