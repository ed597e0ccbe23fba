//! `lightpath status`: what the running daemon says.

mod selection;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Error, Result};

use crate::api;
use crate::cli::StatusOptions;
use crate::instance::Instance;
use crate::output::{print, print_line};
use crate::status::Status;

/// Prints it, once or again and again.
pub(crate) fn run(instance: &Instance, options: &StatusOptions, json: bool) -> Result<ExitCode> {
    if json && !options.is_selective() && options.sort.is_none() {
        // As the daemon says it, whatever its version.
        print_line(answer(instance)?)?;
    } else if json {
        let mut status = ask(instance)?;
        options.apply(&mut status)?;
        print_line(serde_json::to_string(&status)?)?;
    } else if let Some(seconds) = options.watch {
        watch::watch(Duration::from_secs(seconds.into()), || page(instance, options))?;
    } else {
        print(page(instance, options)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn page(instance: &Instance, options: &StatusOptions) -> Result<String> {
    let mut status = ask(instance)?;
    let all = status.summary();
    options.apply(&mut status)?;
    Ok(if options.is_selective() { status.part_of(&all).to_string() } else { status.to_string() })
}

/// The status, from the daemon.
pub(in crate::commands) fn ask(instance: &Instance) -> Result<Status> {
    serde_json::from_str(&answer(instance)?).context("the daemon is of another version")
}

fn answer(instance: &Instance) -> Result<String> {
    api::get(&instance.place, "/v1/status").map_err(|error| unanswered(instance, error))
}

/// What is wrong when the daemon does not answer, or does not like the question.
pub(in crate::commands) fn unanswered(instance: &Instance, error: Error) -> Error {
    if !instance.is_here() || api::is_served(&instance.socket) {
        error
    } else {
        error.context(absent(instance))
    }
}

fn absent(instance: &Instance) -> String {
    let attached = instance.pins.linked_interfaces().unwrap_or_default();
    if attached.is_empty() {
        return format!(
            "the daemon of instance {} is not running; start it with `lightpath run`",
            instance.name
        );
    }
    format!(
        "the daemon of instance {} is not running; its data plane goes on forwarding on {}, without following changes; start it \
         with `lightpath run`",
        instance.name,
        attached.join(", ")
    )
}
