//! What a system takes of its host, where that can be told apart: the time of its processes and programs, and memory.

use std::fs;

use anyhow::Result;
use lightpath_dataplane::bench::{Cost, map_bytes};

use super::network::Network;
use super::systems::LINKS;
use crate::bench::daemon;
use crate::bench::statistics::nanoseconds;

/// Time that was accounted for, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Accounts(Option<f64>);

impl Accounts {
    /// What the system's process, and its programs on the host's links, took so far. What the kernel does for a system in its
    /// network stack is nobody's: of one that is nothing else, nothing is known.
    pub(super) fn of(network: &Network) -> Result<Self> {
        let Some(process) = &network.started.process else { return Ok(Self(None)) };
        let mut time = process_time(process.0.id());
        for link in LINKS {
            let cost = network.stand.lab.balancer.ns.run(|| Cost::on(link))??;
            time += nanoseconds(cost.time) / 1e3;
        }
        Ok(Self(Some(time)))
    }

    /// Microseconds since then.
    pub(super) fn since(self, earlier: Self) -> Option<f64> {
        Some(self.0? - earlier.0?)
    }
}

/// Microseconds that all threads of a process ran: the first number of each one's schedstat, in nanoseconds.
fn process_time(process: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let times = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    times.sum::<f64>() / 1e3
}

/// Bytes of memory that the system's process has, now.
pub(super) fn resident(network: &Network) -> Result<Option<u64>> {
    network.started.process.as_ref().map(|process| daemon::resident(process.0.id())).transpose()
}

/// Bytes of its BPF maps.
pub(super) fn maps(network: &Network) -> Result<Option<u64>> {
    Ok(network.started.pins.as_ref().map(map_bytes).transpose()?)
}
