//! Rows that are measured side by side.

use anyhow::{Context, Result, ensure};
use lightpath_dataplane::bench::{Ends, Stopwatch, Traffic};

use super::Wanted;
use super::rows::{self, ALL_NEW, Row};
use super::subjects::Subjects;
use crate::bench::balancer::NAT4;
use crate::bench::frame::{Frame, Kind};
use crate::bench::report::packets::Program;
use crate::bench::statistics::nanoseconds;

/// Packets of one measurement: long enough for the clock, short enough to be alike throughout.
const PACKETS: u32 = 20_000;
/// The same where each packet's flow is kept: those of a thousand rounds have to fit.
const NEW_FLOWS: u32 = 500;
/// Packets before the first measurement of a row, so that its tables are where they stay: these, or 8 for each flow.
const WARM_UP: u32 = 1 << 16;
const WARM_UP_OF_A_FLOW: u32 = 8;

/// A row with its stopwatch, and what it has shown, in nanoseconds.
#[derive(Debug)]
struct Lane {
    row: Row,
    stopwatch: Stopwatch,
    times: Vec<f64>,
}

/// All rows that are measured, the floor first.
#[derive(Debug)]
pub(super) struct Lanes {
    all: Vec<Lane>,
    subjects: Subjects,
    rounds: u32,
}

impl Lanes {
    /// Loads every program that is wanted, and sends what it takes to bring its tables where they stay.
    pub(super) fn open(wanted: &Wanted) -> Result<Self> {
        let mut rows = rows::rows();
        for (place, against) in wanted.against.iter().enumerate() {
            rows.extend(rows::users(place, &against.name()));
        }
        rows.retain(|row| wanted.has(&row.name));
        ensure!(
            !rows.is_empty(),
            "no row has such a name; without --rows all are measured, and the table says their names"
        );
        let mut subjects = Subjects::open(&wanted.against)?;
        let mut lanes = Vec::new();
        for row in std::iter::once(rows::floor()).chain(rows) {
            let name = row.name.clone();
            lanes.push(Lane::open(row, &mut subjects).with_context(|| format!("cannot measure {name}"))?);
        }
        Ok(Self { all: lanes, subjects, rounds: 0 })
    }

    /// Measures each row once; the order is another one in every second round.
    pub(super) fn run_round(&mut self) -> Result<()> {
        self.rounds += 1;
        if self.rounds.is_multiple_of(2) {
            self.all.iter_mut().rev().try_for_each(Lane::run)
        } else {
            self.all.iter_mut().try_for_each(Lane::run)
        }
    }

    /// What the floor cost in each round, and what every other row did.
    pub(super) fn times(&self) -> (&[f64], impl Iterator<Item = (&Row, &[f64])>) {
        let floor = self.all.first().map_or(&[][..], |lane| &lane.times);
        (floor, self.all.iter().skip(1).map(|lane| (&lane.row, &*lane.times)))
    }

    /// Every row with what it cost in the last round, the floor first.
    pub(super) fn last_round(&self) -> impl Iterator<Item = (&Row, f64)> {
        self.all.iter().map(|lane| (&lane.row, lane.times.last().copied().unwrap_or(f64::NAN)))
    }

    /// The program that forwards by `nat`, if it was measured.
    pub(super) fn program(&self) -> Result<Option<Program>> {
        Ok(self.subjects.bed.program(NAT4)?.map(Program::from))
    }
}

impl Lane {
    fn open(row: Row, subjects: &mut Subjects) -> Result<Self> {
        let interface = subjects.bed.interface;
        let subject = subjects.get(row.subject)?;
        let stopwatch = |kind| -> Result<Stopwatch> {
            let varies = if kind == Kind::Reply { Ends::Destination } else { Ends::Source };
            let packet = Frame { kind, ..row.frame }.bytes()?;
            Ok(Stopwatch::new(subject, Traffic { packet, interface, flows: row.flows, varies })?)
        };
        let warm_up = if row.flows == ALL_NEW { PACKETS } else { WARM_UP.max(row.flows * WARM_UP_OF_A_FLOW) };
        if let Some(kind) = row.opened_by {
            expect(&row, stopwatch(kind)?.run(warm_up)?.0)?;
        }
        let mut stopwatch = stopwatch(row.frame.kind)?;
        let warm_up = if row.keeps_flows { NEW_FLOWS } else { warm_up };
        expect(&row, stopwatch.run(warm_up)?.0)?;
        Ok(Self { row, stopwatch, times: Vec::new() })
    }

    fn run(&mut self) -> Result<()> {
        let packets = if self.row.keeps_flows { NEW_FLOWS } else { PACKETS };
        let (action, time) = self.stopwatch.run(packets)?;
        expect(&self.row, action)?;
        self.times.push(nanoseconds(time));
        Ok(())
    }
}

/// A program that drops is quick; what is measured must have done its work.
fn expect(row: &Row, action: u32) -> Result<()> {
    ensure!(
        row.action.is_none_or(|expected| expected == action),
        "{}: the program returned action {action} instead of {}",
        row.name,
        row.action.unwrap_or_default()
    );
    Ok(())
}
