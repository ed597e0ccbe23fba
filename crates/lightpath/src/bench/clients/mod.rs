//! What clients see: requests, connections and datagrams per second, and how long an answer takes, through Lightpath and through
//! what else does its work.
//!
//! Each system has a network of its own: a client, a host that it stands on, a backend. All stand side by side, so that rounds can
//! measure them in turn. Client, system and backend share one CPU: whatever a system takes is missing in the rate.

mod accounts;
mod network;
mod systems;

use std::time::Duration;

use anyhow::{Result, ensure};
use lightpath_dataplane::bench::Accounting;
use lightpath_lab::{Answered, Travel};

use super::progress::Progress;
use super::report::clients::{Clients, Datagrams, Latency, Seen};
use super::statistics::{at, median, paired_difference, paired_ratio};
use accounts::Accounts;
use network::{Network, System};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// How often each system is measured.
    rounds: u32,
    /// How long each load lasts.
    load: Duration,
}

/// The usual.
pub(super) const USUAL: Effort = Effort { rounds: 9, load: Duration::from_millis(400) };
/// A first look.
pub(super) const QUICK: Effort = Effort { rounds: 3, load: Duration::from_millis(150) };

/// Flows that ask at a time, where it is not latency that is looked at.
const FLOWS: usize = 16;

/// Measures every system that is installed.
pub(super) fn measure(effort: Effort, progress: &Progress) -> Result<Clients> {
    progress.say("building networks and starting what balances in them");
    let scratch = lightpath_lab::isolate()?;
    let mut missing = Vec::new();
    let mut lanes = Vec::new();
    for system in systems::all(&mut missing) {
        lanes.push(Lane::new(Network::build(system, &scratch)?));
    }
    // The kernel takes the time of programs only while somebody wants it to; a request takes a thousand times what that costs.
    let _accounting = Accounting::begin()?;
    progress.begin("measuring clients", u64::from(effort.rounds));
    for _ in 0..effort.rounds {
        for lane in &mut lanes {
            lane.run(effort.load)?;
        }
        progress.step();
    }
    let mut systems = Vec::new();
    for lane in &lanes {
        systems.push(lane.seen(&lanes[0])?);
    }
    Ok(Clients {
        rounds: effort.rounds,
        load_ms: u64::try_from(effort.load.as_millis())?,
        flows: FLOWS,
        systems,
        missing,
    })
}

/// A system, and what clients have seen of it in each round.
struct Lane {
    network: Network,
    /// Microseconds of the CPU for a request on a connection that stays, a fresh connection, and a datagram.
    requests: Vec<f64>,
    connections: Vec<f64>,
    datagrams: Vec<f64>,
    /// Microseconds that an answer takes while nothing else is asked.
    latencies: Vec<f64>,
    datagram_latencies: Vec<f64>,
    /// Questions that were not answered.
    lost: u64,
    /// Microseconds that the system itself accounts for, for a request and for a datagram.
    own: Vec<f64>,
    datagrams_own: Vec<f64>,
}

impl Lane {
    fn new(network: Network) -> Self {
        Self {
            network,
            requests: Vec::new(),
            connections: Vec::new(),
            datagrams: Vec::new(),
            latencies: Vec::new(),
            datagram_latencies: Vec::new(),
            lost: 0,
            own: Vec::new(),
            datagrams_own: Vec::new(),
        }
    }

    fn run(&mut self, load: Duration) -> Result<()> {
        let (requests, own) = self.ask_and_account(Travel::Tcp, load)?;
        self.requests.push(each(&requests));
        self.own.extend(own);
        let connections = self.ask(Travel::FreshTcp, FLOWS, load)?;
        self.connections.push(each(&connections));
        let alone = self.ask(Travel::Tcp, 1, load)?;
        self.latencies.extend(alone.times.iter().copied().map(microseconds));
        if self.network.system.carries_udp {
            let (datagrams, own) = self.ask_and_account(Travel::Udp, load)?;
            self.datagrams.push(each(&datagrams));
            self.datagrams_own.extend(own);
            let alone = self.ask(Travel::Udp, 1, load)?;
            self.datagram_latencies.extend(alone.times.iter().copied().map(microseconds));
        }
        Ok(())
    }

    /// Asks by many flows; also the microseconds that the system itself accounts for, for each answer.
    fn ask_and_account(&mut self, by: Travel, load: Duration) -> Result<(Answered, Option<f64>)> {
        let before = Accounts::of(&self.network)?;
        let answered = self.ask(by, FLOWS, load)?;
        let own = Accounts::of(&self.network)?.since(before);
        let each = own.map(|own| own / count(answered.times.len()));
        Ok((answered, each))
    }

    fn ask(&mut self, by: Travel, flows: usize, duration: Duration) -> Result<Answered> {
        let answered = self.network.ask(by, flows, duration)?;
        ensure!(
            !answered.times.is_empty(),
            "{}: no question by {by:?} was answered",
            self.network.system.name
        );
        self.lost += answered.lost;
        Ok(answered)
    }

    fn seen(&self, direct: &Self) -> Result<Seen> {
        let System { name, carries_udp, .. } = self.network.system;
        let rate = |times: &[f64]| 1e6 / median(times);
        let datagrams = || Datagrams {
            answers_per_second: rate(&self.datagrams),
            share_of_direct: paired_ratio(&direct.datagrams, &self.datagrams),
            added_us: paired_difference(&self.datagrams, &direct.datagrams),
            own_us: known(&self.datagrams_own),
            latency: latency(&self.datagram_latencies),
        };
        Ok(Seen {
            name: name.to_owned(),
            version: self.network.started.version.clone(),
            requests_per_second: rate(&self.requests),
            requests_of_direct: paired_ratio(&direct.requests, &self.requests),
            added_us: paired_difference(&self.requests, &direct.requests),
            own_us: known(&self.own),
            connections_per_second: rate(&self.connections),
            connections_of_direct: paired_ratio(&direct.connections, &self.connections),
            latency: latency(&self.latencies),
            udp: carries_udp.then(datagrams),
            lost: self.lost,
            resident_bytes: accounts::resident(&self.network)?,
            map_bytes: accounts::maps(&self.network)?,
        })
    }
}

/// The median, if anything was seen.
fn known(times: &[f64]) -> Option<f64> {
    (!times.is_empty()).then(|| median(times))
}

/// Microseconds of the CPU for each answer.
fn each(answered: &Answered) -> f64 {
    microseconds(answered.elapsed) / count(answered.times.len())
}

fn latency(times: &[f64]) -> Latency {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    Latency {
        p50_us: at(&sorted, 50.0),
        p90_us: at(&sorted, 90.0),
        p99_us: at(&sorted, 99.0),
        curve: (1..100_u8).map(|percent| at(&sorted, percent.into())).collect(),
    }
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "answers of a load are far fewer than 2^52")]
fn count(answers: usize) -> f64 {
    answers as f64
}
