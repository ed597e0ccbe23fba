//! Whether a backend is up, by the outcomes of its checks: no clock, no network, only what follows from what.
//!
//! ```text
//!                first check fails, or `fall` in a row
//!            ┌──────────────────────────────────────────┐
//!   there ─▶ up                                         ▼
//!            ▲                                         down ◀─ new
//!            └──────────────────────────────────────────┘
//!     first check passes, or `rise` in a row, and not held down
//! ```
//!
//! A backend that was there when the daemon started, or before it was checked, counts as up until its first check has ended,
//! so that a restart takes nobody out. A new one counts as down until then.

use std::time::{Duration, Instant};

use super::cause::Cause;
use crate::model::Health;

/// A backend that keeps failing is held down at most this many times as long as the first time.
const LONGEST_HOLD: u32 = 8;
/// A share that grows does so at most this often: each step moves slots.
const SHORTEST_STEP: Duration = Duration::from_secs(1);
/// Parts of a weight, by which it grows.
pub const FULL: u8 = 10;

/// What is known of a backend.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// Why it is down, if it is.
    down: Option<Cause>,
    /// Whether a check has decided on it.
    decided: bool,
    /// Outcomes in a row that speak for the other position.
    against: u32,
    /// When it last came up, unless it was up from the beginning.
    came_up: Option<Instant>,
    /// How long it is held down, this time.
    hold: Duration,
    held_until: Option<Instant>,
}

/// What an outcome has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Change {
    /// Nothing.
    None,
    /// It is down for another reason than before, or known to be up.
    Detail,
    /// It came up.
    Up,
    /// It went down, or is known to be.
    Down,
}

impl State {
    /// Of a backend that clients may be using already.
    pub(super) fn there() -> Self {
        Self::new(None)
    }

    /// Of a backend that is new.
    pub(super) fn added() -> Self {
        Self::new(Some(Cause::Unchecked))
    }

    fn new(down: Option<Cause>) -> Self {
        let hold = Duration::ZERO;
        Self { down, decided: false, against: 0, came_up: None, hold, held_until: None }
    }

    /// Takes the outcome of a check.
    pub(super) fn observe(&mut self, outcome: Result<(), Cause>, now: Instant, health: &Health) -> Change {
        let is_first = !std::mem::replace(&mut self.decided, true);
        match (&mut self.down, outcome) {
            (None, Ok(())) => {
                self.against = 0;
                if is_first { Change::Detail } else { Change::None }
            }
            (None, Err(cause)) => {
                self.against += 1;
                if self.against < health.fall && !is_first {
                    return Change::None;
                }
                self.go_down(cause, now, health);
                Change::Down
            }
            (Some(known), Err(cause)) => {
                self.against = 0;
                if *known == cause {
                    return Change::None;
                }
                *known = cause;
                if is_first { Change::Down } else { Change::Detail }
            }
            (Some(known), Ok(())) => {
                self.against += 1;
                if self.against < health.rise && !is_first {
                    return Change::None;
                }
                if self.held_until.is_some_and(|until| now < until) {
                    let is_new = *known != Cause::Held;
                    *known = Cause::Held;
                    return if is_new { Change::Detail } else { Change::None };
                }
                self.down = None;
                self.against = 0;
                self.came_up = Some(now);
                self.held_until = None;
                Change::Up
            }
        }
    }

    fn go_down(&mut self, cause: Cause, now: Instant, health: &Health) {
        let is_flapping = self.came_up.is_some_and(|came_up| now.duration_since(came_up) < health.hold_down);
        self.hold = match self.hold {
            _ if !is_flapping => Duration::ZERO,
            Duration::ZERO => health.hold_down,
            before => (before * 2).min(health.hold_down * LONGEST_HOLD),
        };
        self.held_until = (!self.hold.is_zero()).then(|| now + self.hold);
        self.down = Some(cause);
        self.against = 0;
    }

    /// Begins to count anew, because other checks are made.
    pub(super) fn recount(&mut self) {
        self.against = 0;
    }

    /// Whether a check has decided on it.
    pub(super) fn is_decided(&self) -> bool {
        self.decided
    }

    /// Why it is down, if it is.
    pub(super) fn down(&self) -> Option<&Cause> {
        self.down.as_ref()
    }

    /// How many of [`FULL`] parts of its weight it has at a moment: all of them but while it starts slowly.
    pub(super) fn parts(&self, now: Instant, health: &Health) -> u8 {
        let Some(came_up) = self.came_up else { return FULL };
        let since = now.duration_since(came_up);
        if since >= health.slow_start {
            return FULL;
        }
        let step = (health.slow_start / u32::from(FULL)).max(SHORTEST_STEP);
        // Less than `slow_start` has gone by, so this is at most what `FULL` steps take; with fewer steps each is larger.
        let steps = u32::try_from(since.as_nanos() / step.as_nanos()).unwrap_or(u32::MAX);
        let gone = step * steps;
        let parts = gone.as_secs_f64() / health.slow_start.as_secs_f64() * f64::from(FULL);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to FULL")]
        let parts = parts.round() as u8;
        parts.clamp(1, FULL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Check, OnDown, Via};

    const FAILED: Cause = Cause::Refused;

    fn health() -> Health {
        Health {
            check: Check::Tcp,
            via: Via::Direct,
            port: None,
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            rise: 2,
            fall: 3,
            on_down: OnDown::Move,
            slow_start: Duration::ZERO,
            hold_down: Duration::ZERO,
            panic_threshold: 0,
        }
    }

    /// A backend with a clock that goes on by the interval with each check.
    struct Story {
        state: State,
        health: Health,
        now: Instant,
    }

    impl Story {
        fn new(state: State, health: Health) -> Self {
            Self { state, health, now: Instant::now() }
        }

        /// Outcomes as `+` and `-`; what came of each: up (`U`), down (`D`), another detail (`d`) or nothing (`.`).
        fn tell(&mut self, outcomes: &str) -> String {
            let one = |outcome| {
                self.now += self.health.interval;
                let outcome = if outcome == '+' { Ok(()) } else { Err(FAILED) };
                match self.state.observe(outcome, self.now, &self.health) {
                    Change::None => '.',
                    Change::Detail => 'd',
                    Change::Up => 'U',
                    Change::Down => 'D',
                }
            };
            outcomes.chars().map(one).collect()
        }
    }

    #[test]
    fn failures_and_successes_count_in_a_row_only() {
        let mut story = Story::new(State::there(), health());
        for (outcomes, changes) in [
            ("+++", "d.."),
            ("--+--+--+", "........."),
            ("---", "..D"),
            ("---+-+-+-", "........."),
            ("++", ".U"),
            ("--+---", ".....D"),
        ] {
            assert_eq!(story.tell(outcomes), changes, "{outcomes}");
        }
    }

    #[test]
    fn the_first_check_decides_alone() {
        assert_eq!(State::there().down(), None);
        assert_eq!(State::added().down(), Some(&Cause::Unchecked));
        for (state, outcomes, changes) in [
            (State::there(), "+--", "d.."),
            (State::there(), "-++", "D.U"),
            (State::added(), "+--", "U.."),
            (State::added(), "-++", "D.U"),
        ] {
            assert!(!state.is_decided());
            let mut story = Story::new(state, health());
            assert_eq!(story.tell(outcomes), changes, "{outcomes}");
            assert!(story.state.is_decided());
        }
    }

    #[test]
    fn the_latest_failure_is_the_cause() {
        let mut story = Story::new(State::there(), health());
        story.tell("-");
        assert_eq!(story.state.down(), Some(&FAILED));
        let timed_out = Cause::TimedOut(Duration::from_secs(1));
        let change = story.state.observe(Err(timed_out.clone()), story.now, &story.health);
        assert_eq!((change, story.state.down()), (Change::Detail, Some(&timed_out)));
    }

    #[test]
    fn a_backend_that_flaps_is_held_down_longer_each_time() {
        // Every check is two seconds after the one before.
        let mut story = Story::new(State::there(), Health { hold_down: Duration::from_secs(20), ..health() });
        assert_eq!(story.tell("+---++"), "d..D.U", "the first time is free");
        // 20, 40, 80, 160 seconds, and no more than that.
        for seconds in [20, 40, 80, 160, 160] {
            assert_eq!(story.tell("---"), "..D");
            let checks = seconds / 2;
            let held = story.tell(&"+".repeat(checks));
            let (waiting, last) = held.split_at(checks - 1);
            assert!(!waiting.contains('U') && last == "U", "{seconds}: {held}");
        }
        let cause = {
            story.tell("---++");
            story.state.down().cloned()
        };
        assert_eq!(cause, Some(Cause::Held));
        story.tell(&"+".repeat(200));
        assert_eq!(story.tell("---++"), "..D.U", "it has been up for long enough to be trusted again");
    }

    #[test]
    fn a_share_grows_in_steps() {
        let parts = |slow_start, at: &[u64]| -> Vec<u8> {
            let health = Health { slow_start: Duration::from_secs(slow_start), ..health() };
            let mut story = Story::new(State::added(), health);
            assert_eq!(story.tell("+"), "U");
            let part =
                |millis: &u64| story.state.parts(story.now + Duration::from_millis(*millis), &story.health);
            at.iter().map(part).collect()
        };
        assert_eq!(parts(0, &[0]), [FULL]);
        assert_eq!(parts(30, &[0, 2999, 3000, 6000, 15_000, 29_999, 30_000]), [1, 1, 1, 2, 5, 9, 10]);
        assert_eq!(parts(4, &[0, 999, 1000, 2000, 3999, 4000]), [1, 1, 3, 5, 8, 10], "steps of a second");
        assert_eq!(State::there().parts(Instant::now(), &health()), FULL, "who was there has all of it");
    }
}
