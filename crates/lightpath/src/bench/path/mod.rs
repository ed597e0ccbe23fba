//! What a link carries: packets go from a generator through a system and back to a sink, on virtual links and one CPU.
//!
//! Each system has a link and namespaces of its own, and all stand side by side, so that rounds can measure them in turn. Generator,
//! system and sink share one CPU: the time of a packet is everything that the kernel does for it.

mod forwarder;
mod system;

use anyhow::Result;
use lightpath_dataplane::bench::BuiltIn;

use super::balancer::Forward;
use super::installed::installed;
use super::progress::Progress;
use super::report::path::{Path, Rate};
use super::statistics::{low, median, paired_difference, paired_ratio};
pub(super) use forwarder::Forwarder;
use system::System;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// How often each system is measured.
    pub(super) rounds: u32,
    /// Packets that each system gets first, so that connection tracking has its flows.
    warm_up: u32,
}

/// The usual.
pub(super) const USUAL: Effort = Effort { rounds: 75, warm_up: 1_000_000 };
/// A first look.
pub(super) const QUICK: Effort = Effort { rounds: 10, warm_up: 100_000 };

/// Packets of one measurement: some take less time than the kernel lets a process have at a stretch, so that not every one is
/// disturbed where the CPU is busy with something else as well.
const PACKETS: u32 = 10_000;

/// Flows that each system is measured with.
const FLOWS: [u32; 2] = [1, 1 << 16];

/// Measures every system that is installed.
pub(super) fn measure(effort: Effort, progress: &Progress) -> Result<Path> {
    progress.say("building links and what forwards between them");
    lightpath_lab::isolate()?;
    let mut missing = Vec::new();
    let mut systems = systems(&mut missing)?;
    for system in &mut systems {
        system.warm_up(effort.warm_up)?;
    }
    progress.begin("measuring links", u64::from(effort.rounds));
    for _ in 0..effort.rounds {
        for system in &mut systems {
            system.measure(PACKETS)?;
        }
        progress.step();
    }
    let mut rates = Vec::new();
    for system in &systems {
        for (place, run) in system.runs.iter().enumerate() {
            let floor =
                systems.first().and_then(|floor| floor.runs.get(place)).map_or(&[][..], |run| &run.times);
            let ns = low(&run.times);
            rates.push(Rate {
                name: system.name.clone(),
                flows: run.flows,
                packets_per_second: 1e9 / ns,
                ns,
                median_ns: median(&run.times),
                beyond_floor_ns: paired_difference(&run.times, floor),
                share_of_floor: paired_ratio(floor, &run.times),
                returned: run.returned(),
            });
        }
    }
    Ok(Path { rounds: effort.rounds, packets: PACKETS, rates, missing })
}

/// All of them, the floor first.
fn systems(missing: &mut Vec<String>) -> Result<Vec<System>> {
    let mut systems =
        vec![System::open("floor: XDP_TX", &FLOWS, |host| Forwarder::built_in(host, BuiltIn::Floor))?];
    for forward in [Forward::Nat, Forward::Dsr, Forward::Ipip, Forward::Gue] {
        let name = format!("Lightpath, {}", forward.key());
        systems.push(System::open(&name, &FLOWS, |host| Forwarder::lightpath(host, forward))?);
    }
    systems.push(System::open("seed", &FLOWS, |host| Forwarder::built_in(host, BuiltIn::Seed))?);
    systems.push(System::open("kernel, plain routing", &FLOWS, Forwarder::routing)?);
    if installed("nft", missing) {
        systems.push(System::open("kernel, nftables DNAT", &FLOWS, Forwarder::nftables)?);
    }
    Ok(systems)
}
