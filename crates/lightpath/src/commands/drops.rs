//! `lightpath drops`: what was dropped, why, what to do about it, and an example of each.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::Value;

use super::status::unanswered;
use crate::api;
use crate::cli;
use crate::drops::{Dropped, Drops, Example};
use crate::instance::Instance;
use crate::output::{print, print_line};

/// How often it is looked whether more was dropped.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an example of a reason that goes on is good for.
const FRESH: Duration = Duration::from_secs(30);

/// Prints what was dropped so far, or what is dropped from now on.
pub(crate) fn run(instance: &Instance, options: &cli::Drops, json: bool) -> Result<ExitCode> {
    if options.follow {
        return watch(instance, !options.no_examples, json);
    }
    let drops = if options.no_examples { known(instance)? } else { look(instance, "")? };
    if json {
        print_line(serde_json::to_string(&drops)?)?;
    } else {
        print(&drops)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What was dropped, with the examples that are known.
fn known(instance: &Instance) -> Result<Drops> {
    ask(instance, Method::GET, "/v1/drops")
}

/// The same after a look for examples.
fn look(instance: &Instance, query: &str) -> Result<Drops> {
    ask(instance, Method::POST, &format!("/v1/drops{query}"))
}

fn ask(instance: &Instance, method: Method, path: &str) -> Result<Drops> {
    let answer =
        api::send(&instance.place, method, path, None).map_err(|error| unanswered(instance, error))?;
    serde_json::from_str(&answer).context("the daemon is of another version")
}

/// Prints a line for each reason that counts up, until it is ended.
fn watch(instance: &Instance, wants_examples: bool, json: bool) -> Result<ExitCode> {
    let mut followed = Followed::default();
    loop {
        let began = Instant::now();
        // A look takes the place of a pause.
        let drops = if wants_examples && followed.lacks_examples() {
            look(instance, &format!("?seconds={}", PAUSE.as_secs()))?
        } else {
            known(instance)?
        };
        for more in followed.see(&drops.drops, Instant::now()) {
            let line = if json { serde_json::to_string(&more.json())? } else { more.to_string() };
            match writeln!(io::stdout(), "{line}") {
                // The reader has seen enough.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
                written => written?,
            }
        }
        thread::sleep(PAUSE.saturating_sub(began.elapsed()));
    }
}

/// What was seen of drops so far.
#[derive(Debug, Default)]
struct Followed {
    /// The last look; what is dropped from then on is told.
    looked: Option<Instant>,
    reasons: BTreeMap<String, Seen>,
}

/// What was seen of a reason.
#[derive(Debug, Default)]
struct Seen {
    count: u64,
    /// Whether it counted up lately, while no example was told lately.
    lacks_example: bool,
    /// The time of the latest example that is known.
    example: Option<f64>,
    /// When an example was told.
    told: Option<Instant>,
}

/// Packets that were dropped since the last look.
#[derive(Debug)]
struct More<'a> {
    dropped: &'a Dropped,
    packets: u64,
    per_second: f64,
    /// Unless it was told before.
    example: Option<&'a Example>,
}

impl Followed {
    /// Whether something is dropped of which no example was told lately.
    fn lacks_examples(&self) -> bool {
        self.reasons.values().any(|seen| seen.lacks_example)
    }

    /// What is new.
    fn see<'a>(&mut self, drops: &'a [Dropped], now: Instant) -> Vec<More<'a>> {
        let seconds = self.looked.replace(now).map(|looked| now.duration_since(looked).as_secs_f64());
        let mut news = Vec::new();
        for dropped in drops {
            let seen = self.reasons.entry(dropped.reason.to_string()).or_default();
            let before = std::mem::replace(&mut seen.count, dropped.count);
            let latest = dropped.example.as_ref().map(|example| example.time);
            let known = std::mem::replace(&mut seen.example, latest);
            // The first look is what the others are compared with; a reason that is new since then began at 0.
            let Some(seconds) = seconds else { continue };
            // Fresh tables begin at 0 again.
            let packets = if dropped.count < before { dropped.count } else { dropped.count - before };
            let example = dropped.example.as_ref().filter(|_| latest > known);
            if example.is_some() {
                seen.told = Some(now);
            }
            let was_told_lately = seen.told.is_some_and(|told| now.duration_since(told) <= FRESH);
            seen.lacks_example = packets > 0 && !was_told_lately;
            if packets == 0 {
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let per_second = packets as f64 / seconds;
            news.push(More { dropped, packets, per_second, example });
        }
        news
    }
}

impl More<'_> {
    fn json(&self) -> Value {
        let Self { dropped: Dropped { reason, count, .. }, packets, per_second, example } = self;
        serde_json::json!({
            "reason": reason, "dropped": packets, "per_second": per_second, "count": count, "example": example,
        })
    }
}

impl fmt::Display for More<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dropped: Dropped { reason, meaning, .. }, packets, per_second, example } = self;
        write!(f, "{packets:>10} {per_second:>10.0}/s  {reason:<16}  {meaning}")?;
        example.iter().try_for_each(|example| write!(f, "\n{:>12}Example: {example}", ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::Hex;

    /// A reason with so many packets, and an example of that time.
    fn dropped(reason: &'static str, count: u64, example: Option<f64>) -> Dropped {
        let example = example.map(|time| Example {
            time,
            interface: "eth0".to_owned(),
            service: None,
            summary: "udp 198.51.100.7:1 to 203.0.113.10:2".to_owned(),
            headers: Vec::new(),
            length: 60,
            bytes: Hex::default(),
        });
        Dropped {
            reason: reason.into(),
            count,
            per_second: 0.0,
            meaning: "It means this.".into(),
            remedy: "Do that.".into(),
            example,
        }
    }

    #[test]
    fn what_counts_up_is_told_and_looked_at_until_there_is_an_example_of_it() {
        let mut followed = Followed::default();
        let began = Instant::now();
        // Seconds, packets, the example that is known; lines, whether there is an example in them, whether one is lacking.
        for (second, count, example, (lines, told, lacks)) in [
            (0, 5, Some(1.0), (0, false, false)),
            (1, 5, Some(1.0), (0, false, false)),
            (2, 7, Some(1.0), (1, false, true)),
            (3, 8, Some(3.0), (1, true, false)),
            (4, 9, Some(3.0), (1, false, false)),
            (40, 10, Some(3.0), (1, false, true)),
            (41, 10, Some(3.0), (0, false, false)),
            (42, 2, Some(3.0), (1, false, true)),
        ] {
            let drops = [dropped("no-backend", count, example)];
            let news = followed.see(&drops, began + Duration::from_secs(second));
            let has_told = news.iter().any(|more| more.example.is_some());
            assert_eq!(
                (news.len(), has_told, followed.lacks_examples()),
                (lines, told, lacks),
                "at {second} s"
            );
        }
    }

    #[test]
    fn a_reason_that_is_new_began_at_nothing() {
        let mut followed = Followed::default();
        let began = Instant::now();
        assert!(followed.see(&[], began).is_empty());
        let drops = [dropped("too-big", 6, Some(2.0))];
        let news = followed.see(&drops, began + Duration::from_secs(2));
        assert_eq!(
            news.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "         6          3/s  too-big           It means this.\n            Example: 1970-01-01 00:00:02.000 UTC by eth0: udp \
              198.51.100.7:1 to 203.0.113.10:2, 60 bytes"
            ]
        );
        let json = news[0].json();
        assert_eq!(
            (&json["dropped"], &json["count"], &json["example"]["length"]),
            (&6.into(), &6.into(), &60.into())
        );
    }
}
