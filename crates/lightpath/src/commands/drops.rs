//! `lightpath drops`: what was dropped, why, and what to do about it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::status::ask;
use crate::drops::Dropped;
use crate::instance::Instance;
use crate::output::{print, print_line};

/// How often it is looked whether more was dropped.
const PAUSE: Duration = Duration::from_secs(1);

/// Prints what was dropped so far, or what is dropped from now on.
pub(crate) fn run(instance: &Instance, follow: bool, json: bool) -> Result<ExitCode> {
    if follow {
        return watch(instance, json);
    }
    let dropped = Dropped::all(&ask(instance)?);
    if json {
        print_line(serde_json::json!({ "drops": dropped }))?;
    } else if dropped.is_empty() {
        print_line("Nothing dropped.")?;
    } else {
        for (index, dropped) in dropped.iter().enumerate() {
            print(format_args!("{}{dropped}", if index == 0 { "" } else { "\n" }))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a line for each reason that counts up, until it is ended.
fn watch(instance: &Instance, json: bool) -> Result<ExitCode> {
    let mut seen: Option<BTreeMap<&str, u64>> = None;
    let mut looked = Instant::now();
    loop {
        let dropped = Dropped::all(&ask(instance)?);
        let seconds = looked.elapsed().as_secs_f64();
        looked = Instant::now();
        // The first look is what the others are compared with; a reason that is new since then began at 0.
        for Dropped { reason, count, meaning, .. } in seen.iter().flat_map(|_| &dropped) {
            let before = seen.as_ref().and_then(|seen| seen.get(reason)).copied().unwrap_or(0);
            // Fresh tables begin at 0 again.
            let more = if *count < before { *count } else { count - before };
            if more == 0 {
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let rate = more as f64 / seconds;
            let line = if json {
                let line = serde_json::json!({ "reason": reason, "dropped": more, "per_second": rate, "count": count });
                line.to_string()
            } else {
                format!("{more:>10} {rate:>10.0}/s  {reason:<16}  {meaning}")
            };
            match writeln!(io::stdout(), "{line}") {
                // The reader has seen enough.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
                written => written?,
            }
        }
        seen = Some(dropped.iter().map(|dropped| (dropped.reason, dropped.count)).collect());
        thread::sleep(PAUSE);
    }
}
