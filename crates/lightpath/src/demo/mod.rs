//! `lightpath demo`: the load balancer at work in network namespaces of its own, with real traffic and its own real daemon.
//!
//! Each scene makes a claim that an operator would want to see proved, and the demonstration fails if one does not hold.
//! Nothing is left behind, however it ends: namespaces, mounts and pins are held by this process alone.

mod bed;
mod claims;
mod configuration;
mod live;
mod page;
mod report;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use crate::capabilities::{LAB, require};
use crate::cli::Demo;
use crate::output::{print, print_line};
use bed::Bed;
use report::Report;

/// Runs every scene and prints what was found.
pub(crate) fn run(options: &Demo, json: bool) -> Result<ExitCode> {
    require("lightpath demo", LAB)?;
    if options.watch {
        live::needs_a_terminal()?;
    }
    let started = Instant::now();
    let progress = progress_line(json);
    progress.set_message("building client, router, balancer and backends in network namespaces");
    let mut bed = Bed::build()?;
    progress.set_message("starting the daemon");
    bed.start_daemon()?;

    let mut scenes = Vec::new();
    for scene in claims::SCENES {
        progress.set_message(scene.title());
        scenes.push(scene.play(&mut bed, options.requests)?);
    }
    progress.finish_and_clear();

    let report = Report { scenes, seconds: started.elapsed().as_secs_f64() };
    if json {
        print_line(serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&report)?;
    }
    if options.watch {
        bed.start_daemon()?;
        live::watch(&bed)?;
    } else if options.hold {
        bed.start_daemon()?;
        bed.hold()?;
    }
    bed.detach()?;
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A line that says what is going on, where somebody watches.
fn progress_line(json: bool) -> ProgressBar {
    if json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let line = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        line.set_style(style);
    }
    line.enable_steady_tick(Duration::from_millis(100));
    line
}
