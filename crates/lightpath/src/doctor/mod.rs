//! `lightpath doctor`: is this host ready to balance what a configuration says, and if not, what mends it?
//!
//! ```text
//! Surroundings ── looked at by each of checks::ALL ──▶ Findings ──▶ report
//!                                                        └─ --fix ─▶ Fix::apply, and everything is looked at again
//! ```
//!
//! Looking changes nothing: a program is loaded and let go, neighbours are asked for, and ARP probes are sent, from which nobody
//! learns an address.

mod checks;
mod finding;
mod fix;
mod report;
mod surroundings;

use std::process::ExitCode;

use anyhow::Result;

use crate::capabilities::{DAEMON, require};
use crate::cli;
use crate::instance::Instance;
use checks::{Check, Look};
use finding::{Finding, Severity};
use report::{Done, Report};
use surroundings::Surroundings;

/// Runs the command.
pub(crate) fn run(options: &cli::Doctor, instance: &Instance, json: bool) -> Result<ExitCode> {
    require("lightpath doctor", DAEMON)?;
    let mut around = Surroundings::look(&options.file.config, instance)?;
    let mut findings = examine(&around);
    let mut done = Vec::new();
    if options.fix {
        done = findings.iter().filter_map(|finding| mend(finding, &around)).collect();
        if !done.is_empty() {
            around = Surroundings::look(&options.file.config, instance)?;
            findings = examine(&around);
        }
    }
    let is_lossy = findings.iter().any(|finding| finding.severity == Severity::Error);
    Report { findings, done }.print(json)?;
    Ok(if is_lossy { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What every check finds, in the order of the checks.
fn examine(around: &Surroundings) -> Vec<Finding> {
    let look = |check: &Check| {
        let findings = match check.look {
            Look::At(look) => look(around),
            Look::Ask(look) => look(around).unwrap_or_else(|error| vec![Finding::unseen(check.name, &error)]),
        };
        findings.into_iter().map(|finding| Finding { check: check.name, ..finding }).collect::<Vec<_>>()
    };
    checks::ALL.iter().flat_map(look).collect()
}

/// Carries out the fix of a finding, if it has one; what became of it.
fn mend(finding: &Finding, around: &Surroundings) -> Option<Done> {
    let fix = finding.fix.as_ref()?;
    let what = fix.to_string();
    Some(Done { failure: fix.apply(around).err().map(|error| format!("{error:#}")), what })
}
