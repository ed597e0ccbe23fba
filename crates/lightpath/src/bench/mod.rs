//! `lightpath bench`: what a packet costs, in nanoseconds in the program.
//!
//! A machine's speed swings from one moment to the next, so no row is measured at one stretch: every round measures each row
//! once, and a row is compared with the floor of its own round. The floor swaps two MAC addresses; a program that forwards
//! cannot do less. The packet source that restores the packet is part of every figure.

mod bed;
mod report;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lightpath_dataplane::bench::Stopwatch;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::capabilities::{LAB, require};
use crate::cli::Bench;
use crate::output::{print, print_line};
use bed::{Bed, Row};
use report::{Figures, Report};

/// Packets of one measurement: long enough for the clock, short enough to be alike throughout.
const PACKETS: u32 = 20_000;
/// Packets before the first measurement of a row, so that its tables are where they stay.
const WARM_UP: u32 = 1 << 20;

/// Measures every row and prints the table.
pub(crate) fn run(options: &Bench, json: bool) -> Result<ExitCode> {
    require("lightpath bench", LAB)?;
    let mut cpu = CpuSet::new();
    cpu.set(0)?;
    sched_setaffinity(Pid::from_raw(0), &cpu).context("cannot stay on one CPU")?;

    let bed = Bed::build()?;
    let mut floor = Stopwatch::of_floor(bed::floor_traffic())?;
    let mut rows = Vec::new();
    for row in bed::ROWS {
        rows.push((row, bed.stopwatch(row)?, Vec::new()));
    }
    for (row, stopwatch, _) in &mut rows {
        expect(*row, stopwatch.run(WARM_UP)?.0)?;
    }
    let mut floors = Vec::new();
    for _ in 0..options.rounds {
        floors.push(floor.run(PACKETS)?.1);
        for (row, stopwatch, times) in &mut rows {
            let (action, time) = stopwatch.run(PACKETS)?;
            expect(*row, action)?;
            times.push(time);
        }
    }
    let rows = rows.into_iter().map(|(row, _, times)| Figures::of(row, &times, &floors)).collect();
    let report = Report { floor_ns: report::tenth_percentile(&floors), rows, program: bed.program()?.into() };
    if json {
        print_line(serde_json::to_string_pretty(&report)?)?;
    } else {
        print(report)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A program that drops is quick; what is measured must have done its work.
fn expect(row: Row, action: u32) -> Result<()> {
    ensure!(
        action == row.action,
        "{}: the program returned action {action} instead of {}",
        row.name,
        row.action
    );
    Ok(())
}

/// Nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a packet are few")]
fn nanoseconds(time: Duration) -> f64 {
    time.as_nanos() as f64
}
