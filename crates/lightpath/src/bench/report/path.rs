//! What a link carries through each system.

use serde::{Deserialize, Serialize};

use super::plot::{Chart, Plot};
use super::section::{Section, missing};
use super::sheet::{Sheet, grouped, whole};

/// Everything that was measured of links.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Path {
    /// How often each system was measured.
    pub(in crate::bench) rounds: u32,
    /// Packets of one measurement.
    pub(in crate::bench) packets: u32,
    /// The systems, each with several numbers of flows.
    pub(in crate::bench) rates: Vec<Rate>,
    /// Programs that are not installed, whose systems are missing.
    pub(in crate::bench) missing: Vec<String>,
}

/// What a system carried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Rate {
    /// What forwards.
    pub(in crate::bench) name: String,
    /// How many flows.
    pub(in crate::bench) flows: u32,
    /// Packets in a second that came back, at the 10th percentile of the time that each took.
    pub(in crate::bench) packets_per_second: f64,
    /// Nanoseconds for each, 10th percentile of the rounds: of generator, system and sink.
    pub(in crate::bench) ns: f64,
    /// Median of the rounds.
    pub(in crate::bench) median_ns: f64,
    /// Median over the rounds of the time less the floor's of the same round, in nanoseconds: what the system itself takes.
    pub(in crate::bench) beyond_floor_ns: f64,
    /// Median over the rounds of the rate divided by the floor's of the same round.
    pub(in crate::bench) share_of_floor: f64,
    /// The share of packets that came back.
    pub(in crate::bench) returned: f64,
}

impl Path {
    /// As a part of the report.
    pub(in crate::bench) fn section(&self) -> Section {
        let header = [
            "system",
            "flows",
            "packets/s",
            "ns",
            "median ns",
            "beyond the floor",
            "share of the floor's rate",
            "came back",
        ];
        let mut sheet = Sheet::new(1, &header);
        for rate in &self.rates {
            sheet.row([
                rate.name.clone(),
                grouped(rate.flows.into()),
                whole(rate.packets_per_second),
                format!("{:.0}", rate.ns),
                format!("{:.0}", rate.median_ns),
                format!("{:.0}", rate.beyond_floor_ns),
                format!("{:.2}", rate.share_of_floor),
                format!("{:.1} %", rate.returned * 100.0),
            ]);
        }
        let bars = self.rates.iter().map(|rate| {
            let flows = if rate.flows == 1 {
                "1 flow".to_owned()
            } else {
                format!("{} flows", grouped(rate.flows.into()))
            };
            (format!("{}, {flows}", rate.name), rate.packets_per_second)
        });
        Section {
            title: "What a link carries through one CPU".to_owned(),
            about: format!(
                "UDP datagrams of 64 bytes cross a virtual link to the system and come back by it. Generator (BPF_PROG_TEST_RUN with \
                 live frames), system and sink (a program that counts and drops) share one CPU, so a packet's time is all that is \
                 done for it, and its share of the floor is what is left of the link's rate. {} rounds of {} packets for each \
                 system; the floor swaps MAC addresses. What the kernel has forwarded is \
                 counted by the kernel at the other end, which costs less than a program there would.",
                self.rounds,
                grouped(self.packets.into())
            ),
            sheet,
            notes: missing(&self.missing).into_iter().collect(),
            plots: vec![Plot {
                name: "rates",
                title: "Packets per second through one CPU".to_owned(),
                chart: Chart::Bars { unit: "packets/s", bars: bars.collect() },
            }],
        }
    }
}
