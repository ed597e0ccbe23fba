//! What a packet costs in the program, in nanoseconds, by BPF_PROG_TEST_RUN.
//!
//! A machine's speed swings from one moment to the next, so no row is measured at one stretch: every round measures each row
//! once, and a row is compared with the floor of its own round. The floor swaps two MAC addresses; a program that forwards
//! cannot do less. The packet source that restores the packet is part of every figure.

mod bed;
mod lanes;
mod other_build;
mod rows;
mod subjects;

use anyhow::{Result, ensure};
use glob::Pattern;

use super::progress::Progress;
use super::report::packets::{Figures, Packets};
use super::statistics::{low, median, paired_difference, paired_ratio};
use lanes::Lanes;

pub(super) use other_build::{compare, in_step};
pub(super) use subjects::Against;

/// What to measure.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// How often each row is.
    pub(super) rounds: u32,
    /// Rows whose name matches any of these; all, if there are none.
    pub(super) rows: Vec<Pattern>,
    /// Other programs.
    pub(super) against: Vec<Against>,
}

impl Wanted {
    fn has(&self, name: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|pattern| pattern.matches(name))
    }
}

/// Measures every row that is wanted.
pub(super) fn measure(wanted: &Wanted, progress: &Progress) -> Result<Packets> {
    progress.say("loading programs and filling tables");
    let mut lanes = Lanes::open(wanted)?;
    progress.begin("measuring packets", u64::from(wanted.rounds));
    for _ in 0..wanted.rounds {
        lanes.run_round()?;
        progress.step();
    }
    let (floor, rows) = lanes.times();
    ensure!(!floor.is_empty(), "nothing was measured");
    let rows = rows.map(|(row, times)| Figures {
        name: row.name.clone(),
        flows: (row.flows != rows::ALL_NEW).then_some(row.flows),
        ns: low(times),
        median_ns: median(times),
        times_floor: paired_ratio(times, floor),
        beyond_floor_ns: paired_difference(times, floor),
    });
    Ok(Packets {
        rounds: wanted.rounds,
        floor_ns: low(floor),
        floor_median_ns: median(floor),
        rows: rows.collect(),
        program: lanes.program()?,
    })
}
