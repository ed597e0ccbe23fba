//! What goes wrong again and again: told when it begins, changes and ends, and once in a while in between.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::{Duration, Instant};

use tracing::{info, warn};

/// How often a fault is told that goes on.
const REMIND: Duration = Duration::from_mins(5);

/// The faults that go on.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Faults(BTreeMap<&'static str, Fault>);

#[derive(Debug)]
struct Fault {
    text: String,
    times: u64,
    told: Instant,
}

/// What is told of a fault.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Begun,
    Still { times: u64 },
    Over { times: u64 },
}

impl Faults {
    /// Takes what came of something that is done again and again; `what` cannot be done where it failed.
    pub(in crate::daemon) fn see<T, E: Display>(
        &mut self,
        what: &'static str,
        came: Result<T, E>,
    ) -> Option<T> {
        let (value, error) = match came {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        match self.told(what, error.as_deref(), Instant::now()) {
            Told::Nothing => {}
            Told::Begun => warn!(cause = error, "{what}"),
            Told::Still { times } => warn!(cause = error, times, "{what}, still"),
            Told::Over { times } => info!(times, "{what}: no longer so"),
        }
        value
    }

    fn told(&mut self, what: &'static str, error: Option<&str>, now: Instant) -> Told {
        let Some(error) = error else {
            return self.0.remove(what).map_or(Told::Nothing, |fault| Told::Over { times: fault.times });
        };
        match self.0.get_mut(what) {
            Some(fault) if fault.text == error => {
                fault.times += 1;
                if now.duration_since(fault.told) < REMIND {
                    return Told::Nothing;
                }
                fault.told = now;
                Told::Still { times: fault.times }
            }
            _ => {
                self.0.insert(what, Fault { text: error.to_owned(), times: 1, told: now });
                Told::Begun
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_when_it_begins_changes_and_ends_and_seldom_in_between() {
        let (mut faults, start) = (Faults::default(), Instant::now());
        let mut told = |error, seconds| faults.told("no rates", error, start + Duration::from_secs(seconds));
        assert_eq!(told(None, 0), Told::Nothing);
        assert_eq!(told(Some("full"), 2), Told::Begun);
        for seconds in (4..300).step_by(2) {
            assert_eq!(told(Some("full"), seconds), Told::Nothing, "after {seconds} s");
        }
        assert_eq!(told(Some("full"), 302), Told::Still { times: 150 });
        assert_eq!(told(Some("full"), 304), Told::Nothing);
        assert_eq!(told(Some("gone"), 306), Told::Begun);
        assert_eq!(told(None, 308), Told::Over { times: 1 });
        assert_eq!(told(None, 310), Told::Nothing);
    }
}
