//! What watching costs.

use serde::{Deserialize, Serialize};

use super::section::Section;
use super::sheet::{Sheet, grouped, whole};

/// Everything that was measured of watching.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Watching {
    /// How often each was measured.
    pub(in crate::bench) rounds: u32,
    /// For how long, in milliseconds.
    pub(in crate::bench) window_ms: u64,
    /// Services of the daemon.
    pub(in crate::bench) services: u16,
    /// Backends of each.
    pub(in crate::bench) backends: u16,
    /// Milliseconds to read the metrics once, median.
    pub(in crate::bench) reading_ms: f64,
    /// Those who watch, nobody first.
    pub(in crate::bench) watchers: Vec<Watched>,
}

/// What a packet takes while somebody watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Watched {
    /// Who watches.
    pub(in crate::bench) name: String,
    /// Packets in a second that came back, median of the rounds.
    pub(in crate::bench) packets_per_second: f64,
    /// Nanoseconds for each in stretches that little disturbed, 10th percentile of the rounds.
    pub(in crate::bench) ns: f64,
    /// Nanoseconds for each over all of the time, median of the rounds.
    pub(in crate::bench) median_ns: f64,
    /// Median over the rounds of the undisturbed time less that of the same round with nobody, in nanoseconds.
    pub(in crate::bench) beyond_nobody_ns: f64,
    /// Median over the rounds of the time divided by that of the same round with nobody.
    pub(in crate::bench) times_nobody: f64,
    /// The same of the undisturbed time.
    pub(in crate::bench) undisturbed_times_nobody: f64,
}

impl Watching {
    /// As a part of the report.
    pub(in crate::bench) fn section(&self) -> Section {
        let header = [
            "who watches",
            "packets/s",
            "ns over all",
            "times nobody",
            "ns undisturbed",
            "times nobody",
            "beyond nobody",
        ];
        let mut sheet = Sheet::new(1, &header);
        for row in &self.watchers {
            sheet.row([
                row.name.clone(),
                whole(row.packets_per_second),
                format!("{:.1}", row.median_ns),
                format!("{:.3}", row.times_nobody),
                format!("{:.1}", row.ns),
                format!("{:.3}", row.undisturbed_times_nobody),
                format!("{:.1}", row.beyond_nobody_ns),
            ]);
        }
        Section {
            title: "What watching costs".to_owned(),
            about: format!(
                "UDP datagrams of 64 bytes cross a virtual link to the real daemon's data plane and come back by it, from 65,536 flows. \
                 Generator, data plane and sink share one CPU; the daemon, with {} services of {} backends, and whoever watches run where \
                 the kernel lets them. {} rounds, in each of which everybody watches for {} ms. Nobody is there twice: how far both are \
                 apart is what cannot be told from nothing. Stretches of 10,000 packets that little disturbed show what a packet takes \
                 itself; over all of the time, what else the host does is in it too.",
                grouped(self.services.into()),
                grouped(self.backends.into()),
                self.rounds,
                grouped(self.window_ms)
            ),
            sheet,
            notes: vec![format!("It took {:.1} ms to read the metrics once.", self.reading_ms)],
            plots: Vec::new(),
        }
    }
}
