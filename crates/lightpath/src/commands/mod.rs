//! The commands, one a file.

mod capture;
mod change;
mod check;
mod decap;
mod detach;
mod drops;
mod end;
mod explain;
mod manual;
mod reference;
mod run;
mod status;
mod top;
mod upgrade;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::{Cli, Command};
use crate::instance::Instance;
use crate::{bench, demo, doctor};
use end::End;

/// Runs the command that was typed.
pub(crate) fn run(cli: &Cli) -> Result<ExitCode> {
    let instance = Instance::from(&cli.global);
    if !instance.is_here() && !can_be_elsewhere(&cli.command) {
        bail!(
            "--api is for commands that ask a daemon: status, top, drops, explain, reload, rollback, backend and service"
        );
    }
    match &cli.command {
        Command::Demo(options) => demo::run(options, cli.global.json),
        Command::Run(options) => run::run(options, instance),
        Command::Upgrade(options) => upgrade::upgrade(&instance, options, cli.global.json),
        Command::Rollback => upgrade::roll_back(&instance, cli.global.json),
        Command::BpfObject => upgrade::write_object(),
        Command::Reference { page } => reference::run(*page),
        Command::Check(file) => check::run(&file.config, cli.global.json),
        Command::Reload(options) => change::reload(&instance, options, cli.global.json),
        Command::Backend(change) => change::backend(&instance, change, cli.global.json),
        Command::Service(change) => change::service(&instance, change, cli.global.json),
        Command::Status(options) => status::run(&instance, options, cli.global.json),
        Command::Drops(options) => drops::run(&instance, options, cli.global.json),
        Command::Top => top::run(&instance),
        Command::Capture(options) => capture::run(&instance, options, cli.global.json),
        Command::Explain(flow) => explain::run(&instance, flow, cli.global.json),
        Command::Bench(options) => bench::run(options, cli.global.json),
        Command::Decap(options) => decap::run(options, &cli.global),
        Command::Doctor(options) => doctor::run(options, &instance, cli.global.json),
        Command::Manual(options) => manual::run(&options.directory),
        Command::Detach => detach::run(&instance, cli.global.json),
    }
}

/// Whether a command does all that it does by asking the daemon.
fn can_be_elsewhere(command: &Command) -> bool {
    matches!(
        command,
        Command::Status(_)
            | Command::Top
            | Command::Drops(_)
            | Command::Explain(_)
            | Command::Reload(_)
            | Command::Rollback
            | Command::Backend(_)
            | Command::Service(_)
    )
}

/// Says what went wrong: in words, or as `{"error": …}` for machines.
pub(crate) fn report(error: &anyhow::Error, json: bool) {
    let text = chain(error);
    if json {
        println!("{}", serde_json::json!({ "error": text }));
    } else {
        eprintln!("lightpath: {text}");
    }
}

/// An error and its causes in one line, without those that the one before has quoted already.
fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| {
        if text.is_empty() {
            cause
        } else if text.contains(&cause) {
            text
        } else {
            format!("{text}: {cause}")
        }
    })
}
