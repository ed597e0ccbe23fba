//! The figures: what a row cost, and how many times the floor that is.

use std::fmt;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use lightpath_dataplane::ProgramFigures;
use serde::Serialize;

use super::bed::Row;
use super::nanoseconds;

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// The floor's cost per packet, 10th percentile.
    pub(super) floor_ns: f64,
    /// The rows.
    pub(super) rows: Vec<Figures>,
    /// The program that was measured.
    pub(super) program: ProgramReport,
}

/// The program that was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ProgramReport {
    /// Instructions that the verifier walked.
    pub(super) verified_instructions: Option<u32>,
    /// Bytes of BPF instructions.
    pub(super) translated_bytes: Option<u32>,
    /// Bytes of machine code.
    pub(super) jited_bytes: u32,
}

/// What a row cost.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Figures {
    /// What was measured.
    pub(super) name: &'static str,
    /// Of how many flows.
    pub(super) flows: u32,
    /// Cost per packet in nanoseconds, 10th percentile of the rounds.
    pub(super) ns: f64,
    /// Median of the rounds.
    pub(super) median_ns: f64,
    /// Median over the rounds of the cost divided by the floor's of the same round.
    pub(super) times_floor: f64,
}

impl From<ProgramFigures> for ProgramReport {
    fn from(figures: ProgramFigures) -> Self {
        Self {
            verified_instructions: figures.verified_instructions,
            translated_bytes: figures.translated_bytes,
            jited_bytes: figures.jited_bytes,
        }
    }
}

impl Figures {
    pub(super) fn of(row: Row, times: &[Duration], floors: &[Duration]) -> Self {
        let ratios = times.iter().zip(floors).map(|(time, floor)| nanoseconds(*time) / nanoseconds(*floor));
        Self {
            name: row.name,
            flows: row.flows,
            ns: tenth_percentile(times),
            median_ns: percentile(times.iter().copied().map(nanoseconds), 50),
            times_floor: percentile(ratios, 50),
        }
    }
}

/// The 10th percentile in nanoseconds: what the machine does when nothing disturbs it.
pub(super) fn tenth_percentile(times: &[Duration]) -> f64 {
    percentile(times.iter().copied().map(nanoseconds), 10)
}

fn percentile(values: impl Iterator<Item = f64>, percent: usize) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let index = sorted.len().saturating_sub(1) * percent / 100;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["packets", "flows", "ns", "median ns", "times the floor"]);
        table.add_row([
            "floor: swap MAC addresses, XDP_TX",
            "1",
            &format!("{:.0}", self.floor_ns),
            "",
            "1.0",
        ]);
        for row in &self.rows {
            table.add_row([
                row.name.to_owned(),
                row.flows.to_string(),
                format!("{:.0}", row.ns),
                format!("{:.0}", row.median_ns),
                format!("{:.1}", row.times_floor),
            ]);
        }
        for column in 1..=4 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for line in table.lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        let verified = self.program.verified_instructions.unwrap_or(0);
        writeln!(
            f,
            "\nprogram: {} bytes of machine code, {verified} instructions verified",
            self.program.jited_bytes
        )
    }
}
