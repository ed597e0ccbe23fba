//! What a second queue on a second CPU adds.

use serde::{Deserialize, Serialize};

use super::section::Section;
use super::sheet::{Sheet, grouped, whole};

/// Everything that was measured of queues.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Queues {
    /// How often each was measured.
    pub(in crate::bench) rounds: u32,
    /// Packets of each CPU in a measurement.
    pub(in crate::bench) packets: u32,
    /// Packets in a second by one queue on one CPU, mean of both, median of the rounds.
    pub(in crate::bench) one: f64,
    /// By both at one time.
    pub(in crate::bench) both: f64,
    /// Median over the rounds of both divided by one.
    pub(in crate::bench) times: f64,
}

impl Queues {
    /// As a part of the report.
    pub(in crate::bench) fn section(&self) -> Section {
        let mut sheet = Sheet::new(1, &["queues", "packets/s", "times one"]);
        sheet.row(["one, on one CPU".to_owned(), whole(self.one), "1.00".to_owned()]);
        sheet.row(["two, on two CPUs".to_owned(), whole(self.both), format!("{:.2}", self.times)]);
        Section {
            title: "Queues".to_owned(),
            about: format!(
                "UDP datagrams of 64 bytes of 65,536 flows to a `nat` service cross a virtual link with two queues and come back by it. Each \
                 CPU generates, receives, balances and counts its own; the program and its tables are the same. {} rounds of {} packets \
                 for each CPU: one of them, the other, and both at once. Median of the rounds.",
                self.rounds,
                grouped(self.packets.into())
            ),
            sheet,
            notes: Vec::new(),
            plots: Vec::new(),
        }
    }
}
