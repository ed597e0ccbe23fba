//! `lightpath bench`: what Lightpath costs on this host, beside the least that any program could cost and what else does its work.
//!
//! [`packets`] looks at the program alone, [`path`] at a link, [`clients`] at questions and answers, [`control`] at the daemon,
//! [`queues`] at what a second CPU adds, [`watching`] at what it costs to look on. What is compared is measured in turn, round by round, because a machine's speed swings.

mod balancer;
mod clients;
mod control;
mod daemon;
mod frame;
mod installed;
mod nft;
mod packets;
mod path;
mod progress;
mod queues;
mod report;
mod statistics;
mod watching;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{panic, thread};

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::capabilities::{LAB, require};
use crate::cli::{Bench, BenchPart};
use crate::output::{print, print_line};
use packets::{Against, Wanted};
use progress::Progress;
use report::{Machine, Report};

/// Rounds, unless told: enough for ratios that differ by a few percent from one run to the next, and few for a first look.
const ROUNDS: u32 = 25;
const QUICK_ROUNDS: u32 = 5;

/// Measures what was asked for, and says and writes what was found.
pub(crate) fn run(options: &Bench, json: bool) -> Result<ExitCode> {
    let wanted = Wanted {
        rounds: options.rounds.unwrap_or(if options.quick { QUICK_ROUNDS } else { ROUNDS }),
        rows: options.rows.clone(),
        against: options.against.iter().map(|text| Against::parse(text)).collect(),
    };
    if let Some(file) = &options.from {
        return show(&read(file)?, options, json);
    }
    require("lightpath bench", LAB)?;
    if options.in_step {
        on_one_cpu(|| packets::in_step(&wanted))?;
        return Ok(ExitCode::SUCCESS);
    }
    let progress = Progress::new(json);
    if let Some(base) = &options.base {
        let compared = on_one_cpu(|| packets::compare(base, &wanted, options.limit, &progress))?;
        progress.end();
        if json {
            print_line(serde_json::to_string_pretty(&compared)?)?;
        } else {
            print(&compared)?;
        }
        return Ok(if compared.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let report = measure(options, &wanted, &progress)?;
    progress.end();
    show(&report, options, json)
}

fn measure(options: &Bench, wanted: &Wanted, progress: &Progress) -> Result<Report> {
    let parts = options.parts();
    ensure!(
        parts.contains(&BenchPart::Packets) || !options.is_about_packets(),
        "--rounds, --rows and --against are about packets, which are not to be measured; add packets to the parts"
    );
    let mut report = Report {
        machine: Machine::look()?,
        command: command(),
        packets: None,
        path: None,
        clients: None,
        control: None,
        queues: None,
        watching: None,
    };
    if parts.contains(&BenchPart::Packets) {
        report.packets = Some(on_one_cpu(|| packets::measure(wanted, progress))?);
    }
    if parts.contains(&BenchPart::Path) {
        let effort = if options.quick { path::QUICK } else { path::USUAL };
        report.path = Some(on_one_cpu(|| path::measure(effort, progress))?);
    }
    if parts.contains(&BenchPart::Clients) {
        let effort = if options.quick { clients::QUICK } else { clients::USUAL };
        report.clients = Some(on_one_cpu(|| clients::measure(effort, progress))?);
    }
    if parts.contains(&BenchPart::Control) {
        let sizes = if options.quick { control::QUICK } else { control::USUAL };
        report.control = Some(in_a_thread(|| control::measure(sizes, progress))?);
    }
    if parts.contains(&BenchPart::Queues) {
        let effort = if options.quick { queues::QUICK } else { queues::USUAL };
        report.queues = Some(in_a_thread(|| queues::measure(effort, progress))?);
    }
    if parts.contains(&BenchPart::Watching) {
        let effort = if options.quick { watching::QUICK } else { watching::USUAL };
        report.watching = Some(in_a_thread(|| watching::measure(effort, progress))?);
    }
    Ok(report)
}

/// What was typed, without the directory of this program.
fn command() -> String {
    let typed = std::env::args().skip(1);
    typed.fold("lightpath".to_owned(), |command, argument| command + " " + &argument)
}

fn read(file: &PathBuf) -> Result<Report> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is not what `lightpath bench --json` prints", file.display()))
}

fn show(report: &Report, options: &Bench, json: bool) -> Result<ExitCode> {
    if let Some(file) = &options.keep {
        report::write(file, &serde_json::to_string_pretty(report)?)?;
    }
    if let Some(file) = &options.html {
        report.write_html(file)?;
    }
    if let Some(file) = &options.write {
        report.write_markdown(file)?;
    }
    if json {
        print_line(serde_json::to_string_pretty(report)?)?;
    } else {
        print(report)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Does work in a thread that the kernel does not move to another CPU in between; what it starts stays there too.
fn on_one_cpu<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    in_a_thread(|| {
        stay_on_one_cpu()?;
        work()
    })
}

/// Keeps this thread on one CPU.
fn stay_on_one_cpu() -> Result<()> {
    let this_thread = Pid::from_raw(0);
    let allowed = sched_getaffinity(this_thread)?;
    // The first ones are those that interrupts come to, where nobody has spread them.
    let last = (0..CpuSet::count()).rev().find(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    let mut one = CpuSet::new();
    one.set(last.context("this process may run on no CPU")?)?;
    sched_setaffinity(this_thread, &one).context("cannot stay on one CPU")
}

/// Does work in a thread of its own: what is measured takes its thread into namespaces, for good.
fn in_a_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
}
