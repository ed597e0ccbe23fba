//! What watching costs: packets cross a link through the real daemon's data plane, while nobody watches, while its metrics are read
//! each second, and while one packet in a thousand is captured.
//!
//! Generator, data plane and sink share one CPU. The daemon and whoever watches run where the kernel lets them, as for users.

mod stand;
mod watcher;

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::progress::Progress;
use super::report::watching::{Watched, Watching};
use super::statistics::{low, median, paired_difference, paired_ratio};
use stand::{Pace, Stand};
use watcher::Watcher;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// How often each is measured.
    rounds: u32,
    /// For how long: a second has one reading of metrics in it.
    window: Duration,
    services: u16,
}

/// The usual.
pub(super) const USUAL: Effort = Effort { rounds: 20, window: Duration::from_secs(1), services: 100 };
/// A first look.
pub(super) const QUICK: Effort = Effort { rounds: 3, window: Duration::from_millis(300), services: 10 };

/// Backends of each service.
const BACKENDS: u16 = 10;
/// One packet in so many is captured.
const EVERY: u32 = 1000;

/// Who watches. The first is measured twice: how far both are apart is what cannot be told from nothing.
const WATCHERS: [(&str, Watcher); 4] = [
    ("nobody", Watcher::Nobody),
    ("nobody, once more", Watcher::Nobody),
    ("metrics read each second", Watcher::Metrics),
    ("1 packet in 1,000 captured", Watcher::Capture { every: EVERY }),
];

/// Measures each in turn, round by round.
pub(super) fn measure(effort: Effort, progress: &Progress) -> Result<Watching> {
    progress.say("building a link and starting the daemon");
    let directory = lightpath_lab::isolate()?.join("watching");
    fs::create_dir(&directory)?;
    let mut stand = Stand::open(&directory, effort.services, BACKENDS)?;
    stand.send(effort.window)?;
    let mut times = WATCHERS.map(|_| Vec::new());
    let mut reading = Vec::new();
    progress.begin("measuring what watching costs", u64::from(effort.rounds));
    for _ in 0..effort.rounds {
        for ((name, watcher), times) in WATCHERS.iter().zip(&mut times) {
            let seen = watcher.watch(&mut stand, effort.window).with_context(|| format!("{name} watches"))?;
            times.push(seen.pace);
            reading.extend(seen.reading.map(|time| time.as_secs_f64() * 1e3));
        }
        progress.step();
    }
    let [means, undisturbed] = [|pace: &Pace| pace.mean, |pace: &Pace| pace.undisturbed]
        .map(|of: fn(&Pace) -> f64| times.each_ref().map(|times| times.iter().map(of).collect::<Vec<_>>()));
    let ([nobody, ..], [nobody_undisturbed, ..]) = (&means, &undisturbed);
    let rows = WATCHERS.iter().zip(means.iter().zip(&undisturbed));
    let rows = rows.map(|((name, _), (means, undisturbed))| Watched {
        name: (*name).to_owned(),
        packets_per_second: 1e9 / median(means),
        ns: low(undisturbed),
        median_ns: median(means),
        beyond_nobody_ns: paired_difference(undisturbed, nobody_undisturbed),
        times_nobody: paired_ratio(means, nobody),
        undisturbed_times_nobody: paired_ratio(undisturbed, nobody_undisturbed),
    });
    Ok(Watching {
        rounds: effort.rounds,
        window_ms: u64::try_from(effort.window.as_millis())?,
        services: effort.services,
        backends: BACKENDS,
        reading_ms: median(&reading),
        watchers: rows.collect(),
    })
}
