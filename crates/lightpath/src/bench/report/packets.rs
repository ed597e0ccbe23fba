//! What packets cost in the program: a row of the table for each kind.

use lightpath_dataplane::ProgramFigures;
use serde::{Deserialize, Serialize};

use super::plot::{Chart, Plot, Series};
use super::section::Section;
use super::sheet::{Sheet, grouped};

/// Everything that was measured of single packets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Packets {
    /// How often each row was measured.
    pub(in crate::bench) rounds: u32,
    /// The floor's cost per packet in nanoseconds, 10th percentile.
    pub(in crate::bench) floor_ns: f64,
    /// Its median.
    pub(in crate::bench) floor_median_ns: f64,
    /// The rows.
    pub(in crate::bench) rows: Vec<Figures>,
    /// The program that forwards by `nat` in IPv4, if it was measured.
    pub(in crate::bench) program: Option<Program>,
}

/// What a row cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Figures {
    /// What was measured.
    pub(in crate::bench) name: String,
    /// Of how many flows; of none where each packet is the first of its flow.
    pub(in crate::bench) flows: Option<u32>,
    /// Cost per packet in nanoseconds, 10th percentile of the rounds.
    pub(in crate::bench) ns: f64,
    /// Median of the rounds.
    pub(in crate::bench) median_ns: f64,
    /// Median over the rounds of the cost divided by the floor's of the same round.
    pub(in crate::bench) times_floor: f64,
    /// Median over the rounds of the cost less the floor's of the same round, in nanoseconds.
    pub(in crate::bench) beyond_floor_ns: f64,
}

/// The program that was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::bench) struct Program {
    /// Instructions that the verifier walked.
    pub(in crate::bench) verified_instructions: Option<u32>,
    /// Bytes of BPF instructions.
    pub(in crate::bench) translated_bytes: Option<u32>,
    /// Bytes of machine code.
    pub(in crate::bench) jited_bytes: u32,
}

impl From<ProgramFigures> for Program {
    fn from(figures: ProgramFigures) -> Self {
        Self {
            verified_instructions: figures.verified_instructions,
            translated_bytes: figures.translated_bytes,
            jited_bytes: figures.jited_bytes,
        }
    }
}

impl Packets {
    /// As a part of the report.
    pub(in crate::bench) fn section(&self) -> Section {
        let mut sheet =
            Sheet::new(1, &["packets", "flows", "ns", "median ns", "beyond the floor", "times the floor"]);
        let number = |value: f64| format!("{value:.0}");
        sheet.row([
            "floor: swap MAC addresses, XDP_TX".to_owned(),
            "1".to_owned(),
            number(self.floor_ns),
            number(self.floor_median_ns),
            String::new(),
            "1.0".to_owned(),
        ]);
        for row in &self.rows {
            sheet.row([
                row.name.clone(),
                row.flows.map_or_else(|| "new".to_owned(), |flows| grouped(flows.into())),
                number(row.ns),
                number(row.median_ns),
                number(row.beyond_floor_ns),
                format!("{:.1}", row.times_floor),
            ]);
        }
        Section {
            title: "What a packet costs in the program".to_owned(),
            about: format!(
                "Nanoseconds of the loaded program for one packet, by BPF_PROG_TEST_RUN on one CPU: the 10th percentile and the \
                 median of {} rounds, each of which measures every row once. `beyond the floor` and `times the floor` are medians \
                 of what a row is to the floor of its own round. A packet source that restores the packet, and picks one of the \
                 flows, is in every figure. `seed` is the load balancer of a tutorial: one hash map of all flows, the IP \
                 checksum from scratch and none of TCP or UDP.",
                self.rounds
            ),
            sheet,
            notes: self.program.iter().map(note).collect(),
            plots: self.plot().into_iter().collect(),
        }
    }

    /// Nanoseconds against the number of flows, for every row that was measured with several.
    fn plot(&self) -> Option<Plot> {
        let mut series: Vec<Series> = Vec::new();
        for row in self.rows.iter().filter(|row| is_drawn(&row.name)) {
            let Some(flows) = row.flows else { continue };
            let point = (f64::from(flows), row.ns);
            match series.iter_mut().find(|series| series.name == row.name) {
                Some(series) => series.points.push(point),
                None => series.push(Series { name: row.name.clone(), points: vec![point] }),
            }
        }
        series.retain(|series| series.points.len() > 2);
        let largest =
            series.iter().flat_map(|series| &series.points).map(|point| point.0).fold(1.0, f64::max);
        if series.is_empty() {
            return None;
        }
        let floor = "floor: swap MAC addresses".to_owned();
        series.push(Series { name: floor, points: vec![(1.0, self.floor_ns), (largest, self.floor_ns)] });
        Some(Plot {
            name: "flows",
            title: "Cost of a packet by the number of flows".to_owned(),
            chart: Chart::Lines { x: "flows", y: "ns per packet, 10th percentile", series },
        })
    }
}

/// Of a balancer's many rows, the plot shows the plainest.
fn is_drawn(name: &str) -> bool {
    name.contains("TCP4 established")
}

fn note(program: &Program) -> String {
    let verified = program
        .verified_instructions
        .map_or_else(String::new, |verified| format!(", {verified} instructions verified"));
    format!("program, IPv4 nat: {} bytes of machine code{verified}", program.jited_bytes)
}
