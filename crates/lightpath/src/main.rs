//! Lightpath: a layer-4 load balancer for Linux that forwards in XDP.
//!
//! This crate is the binary: the command line, the daemon with its API, and the demonstration. What is decided lives in
//! lightpath-control, what touches the kernel's packet path in lightpath-dataplane.

mod api;
mod bench;
mod capabilities;
mod changed;
mod cli;
mod commands;
mod daemon;
mod decap;
mod demo;
mod doctor;
mod drops;
mod event;
mod explanation;
mod hex;
mod instance;
mod logging;
mod output;
mod problem;
mod status;
mod take_off;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match commands::run(&cli) {
        Ok(code) => code,
        Err(error) => {
            commands::report(&error, cli.global.json);
            ExitCode::FAILURE
        }
    }
}
