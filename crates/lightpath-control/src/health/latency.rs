//! How long checks take: written where they end, read by whoever wants to know, without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the classes that checks are counted in, in seconds; one more has no bound.
pub const BOUNDS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// How long the checks of a service took, since it was first checked.
#[derive(Debug, Default)]
pub struct Latency {
    counts: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// A [`Latency`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatencyFigures {
    /// How many checks took as long as each of [`BOUNDS`] at most, and longer than the bound before; in the last place, longer
    /// than all.
    pub counts: [u64; BOUNDS.len() + 1],
    /// How long all took together, in seconds.
    pub sum: f64,
}

impl Latency {
    /// Counts a check.
    pub(super) fn add(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let class = BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(micros(took), Ordering::Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn figures(&self) -> LatencyFigures {
        let counts = self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        LatencyFigures {
            counts,
            sum: Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64(),
        }
    }
}

/// How long the last check of a backend took. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct LastCheck(Arc<AtomicU64>);

impl LastCheck {
    pub(super) fn set(&self, took: Duration) {
        self.0.store(micros(took).max(1), Ordering::Relaxed);
    }

    /// To the microsecond; `None` before the first has ended.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }
}

impl PartialEq for LastCheck {
    fn eq(&self, other: &Self) -> bool {
        self.took() == other.took()
    }
}

impl Eq for LastCheck {}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_counted_in_the_first_class_that_holds_it() {
        let latency = Latency::default();
        for micros in [0, 500, 501, 1000, 250_000, 5_000_000, 5_000_001] {
            latency.add(Duration::from_micros(micros));
        }
        let figures = latency.figures();
        assert_eq!(figures.counts, [2, 2, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1]);
        assert!((figures.sum - 10.252_002).abs() < 1e-9, "{}", figures.sum);
    }

    #[test]
    fn the_last_check_is_known_once_there_was_one() {
        let last = LastCheck::default();
        let shared = last.clone();
        assert_eq!(shared.took(), None);
        last.set(Duration::from_millis(3));
        assert_eq!(shared.took(), Some(Duration::from_millis(3)));
    }
}
