//! The program under a daemon: refused if it is no good, watched when packets meet it, taken back when they fare worse.

use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use hyper::StatusCode;
use lightpath_core::Reason;
use lightpath_dataplane::{Counters, Dataplane, Interface};
use tracing::{error, info};

use super::{Daemon, smoke, spec};
use crate::changed::Exchanged;
use crate::event::{About, Kind};
use crate::instance::Instance;
use crate::problem::Problem;

/// How long a new program is watched.
const WATCHED: Duration = Duration::from_secs(30);
/// Packets without which nothing can be said.
const ENOUGH: u64 = 100;
/// By how much more of all packets may be dropped than before.
const TOLERATED: f64 = 0.05;

/// A new program on probation.
#[derive(Debug)]
pub(super) struct Watch {
    ends: Instant,
    /// The part of all packets that was dropped under the program before.
    usual: f64,
    start: Totals,
}

/// Packets, as counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    forwarded: u64,
    dropped: u64,
}

impl Totals {
    fn of(counters: &Counters) -> Self {
        let backends = counters.backends.values();
        Self {
            forwarded: backends.map(|backend| backend.packets + backend.reply_packets).sum(),
            dropped: Reason::ALL.into_iter().map(|reason| counters.dropped(reason)).sum(),
        }
    }

    fn since(self, earlier: Self) -> Self {
        Self {
            forwarded: self.forwarded.saturating_sub(earlier.forwarded),
            dropped: self.dropped.saturating_sub(earlier.dropped),
        }
    }

    fn all(self) -> u64 {
        self.forwarded + self.dropped
    }

    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn share_dropped(self) -> f64 {
        if self.all() == 0 { 0.0 } else { self.dropped as f64 / self.all() as f64 }
    }

    /// Whether clearly more is dropped than usual.
    fn are_worse_than(self, usual: f64) -> bool {
        self.all() >= ENOUGH && self.share_dropped() > usual + TOLERATED
    }
}

impl Watch {
    /// Begins as a program takes the place of another, under which packets were counted from `before` to `now`.
    pub(super) fn begin(before: &Counters, now: &Counters) -> Self {
        let start = Totals::of(now);
        Self { ends: Instant::now() + WATCHED, usual: start.since(Totals::of(before)).share_dropped(), start }
    }
}

impl Daemon {
    /// Looks at how packets fare under a new program.
    pub(super) fn watch_program(&mut self, counters: &Counters) {
        // While another version is tried, nothing takes the place of what it is tried on.
        let Some(watch) = self.watch.as_ref().filter(|_| self.trial.is_none()) else { return };
        let seen = Totals::of(counters).since(watch.start);
        if seen.are_worse_than(watch.usual) {
            let (dropped, usual) = (seen.share_dropped() * 100.0, watch.usual * 100.0);
            self.watch = None;
            let cause = format!("it dropped {dropped:.1} % of all packets, the one before {usual:.1} %");
            if let Err(problem) = self.roll_back(&cause) {
                error!("the program stays, though {cause}: {problem}");
            }
        } else if Instant::now() > watch.ends {
            let message = format!(
                "the new program does well and is kept: it dropped {} of {} packets",
                seen.dropped,
                seen.all()
            );
            self.watch = None;
            self.events.tell(Kind::ProgramKept, message, About::default());
        }
    }

    /// Takes the program back that ran before this one; why is told.
    pub(super) fn roll_back(&mut self, cause: &str) -> Result<Exchanged, Problem> {
        let conflict =
            |error: Error| Problem::new(StatusCode::CONFLICT, format!("nothing is changed: {error:#}"));
        let needed = spec(self.reconciler.config(), &self.vlans).map_err(conflict)?;
        let id = |dataplane: &Dataplane| dataplane.info().map(|info| info.id);
        let before = id(&self.kernel.0).map_err(|error| conflict(error.into()))?;
        self.end_capture();
        self.kernel.0.roll_back(&needed).map_err(|error| conflict(error.into()))?;
        self.watch = None;
        let after = id(&self.kernel.0).map_err(|error| conflict(error.into()))?;
        let about = About { program: Some(after), ..About::cause(cause) };
        self.events.tell(Kind::ProgramRolledBack, "the program before is back", about);
        Ok(Exchanged { before, after: Some(after), tried: None })
    }
}

/// Refuses a program that is no good, before packets meet it.
pub(super) fn check(dataplane: &Dataplane, instance: &Instance, interface: &str) -> Result<()> {
    match smoke::run(dataplane, Interface::named(interface)?.index) {
        Ok(tried) => {
            info!(%tried, "the program was tried on the tables");
            Ok(())
        }
        Err(error) => {
            instance.pins.forget_next()?;
            Err(error.context("the program is no good and is not used"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_judged_by_the_part_of_packets_that_it_drops() {
        for (forwarded, dropped, usual, expected) in [
            (0, 0, 0.0, false),
            (0, 50, 0.0, false),
            (0, 100, 0.0, true),
            (1000, 40, 0.0, false),
            (1000, 80, 0.0, true),
            (500, 500, 0.5, false),
            (400, 600, 0.5, true),
        ] {
            let seen = Totals { forwarded, dropped };
            assert_eq!(seen.are_worse_than(usual), expected, "{seen:?}, usually {usual}");
        }
    }
}
