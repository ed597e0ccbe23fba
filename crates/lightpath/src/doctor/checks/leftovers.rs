use std::fs;

use anyhow::Result;
use lightpath_control::host::{Gone, Ledger};

use crate::doctor::finding::Finding;
use crate::doctor::fix::Fix;
use crate::doctor::surroundings::Surroundings;

use super::program::TRIAL;

/// What a crash has left. While a daemon runs, what is there is its own, and it looks after it.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Finding>> {
    let mut findings = trials(around);
    if around.is_served {
        findings.push(Finding::ok("leftovers", "a daemon runs, and looks after what it has made"));
        return Ok(findings);
    }
    let pins = &around.instance.pins;
    for path in pins.unfinished() {
        let what = "left by a start that was cut short";
        let why = "it holds memory of the kernel; the next start replaces it";
        findings.push(Finding::warning(path.display(), what, why).fix(Fix::RemovePin(path.clone())));
    }
    let stray = pins.stray_links()?;
    for path in &stray {
        let what = "the link of an interface that is gone";
        let why = "it is in the way when the interface comes back without a daemon";
        findings.push(Finding::warning(path.display(), what, why).fix(Fix::RemovePin(path.clone())));
    }
    let ledger = Ledger::open(&around.instance.ledger)?;
    let gone = Gone::of(&ledger);
    if !gone.is_empty() {
        let names: Vec<String> = gone
            .addresses
            .iter()
            .map(|entry| format!("{} on {}", entry.address, entry.interface))
            .chain(gone.sysctls.iter().map(|entry| entry.path.clone()))
            .collect();
        let what = format!("lists what is gone with its interface: {}", names.join(", "));
        let why = "an interface of that name that is made later is not the one that was changed";
        findings.push(Finding::warning(around.instance.ledger.display(), what, why).fix(Fix::StrikeGone));
    }
    let linked = pins.linked_interfaces()?;
    if linked.len() > stray.len() {
        let what = format!("balances on {} without a daemon", linked.join(", "));
        let why = "packets go on, but nobody follows changes of routes, neighbours and backends";
        let finding = Finding::warning(format_args!("instance {}", around.instance.name), what, why);
        findings.push(finding.mend(format_args!("lightpath run -c {}", around.file.display())));
    } else if pins.exist() && pins.unfinished().is_empty() {
        let what = "pins without a link: no packet takes them";
        let why = "they hold memory of the kernel";
        findings.push(
            Finding::warning(pins.directory().display(), what, why)
                .fix(Fix::RemovePin(pins.directory().to_owned())),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::ok("leftovers", "none"));
    }
    Ok(findings)
}

/// Trial instances of a doctor that was killed.
fn trials(around: &Surroundings) -> Vec<Finding> {
    let root = around.instance.pins.directory().parent();
    let entries = root.and_then(|root| fs::read_dir(root).ok()).into_iter().flatten().flatten();
    let is_stale = |name: &str| {
        let process = name.strip_prefix(TRIAL)?.parse::<u32>().ok()?;
        (!fs::exists(format!("/proc/{process}")).ok()?).then_some(())
    };
    let stale = entries.filter(|entry| entry.file_name().to_str().and_then(is_stale).is_some());
    stale
        .map(|entry| {
            let path = entry.path();
            let what = "a program that a doctor tried before it was killed";
            Finding::warning(path.display(), what, "it holds memory of the kernel")
                .fix(Fix::RemovePin(path.clone()))
        })
        .collect()
}
