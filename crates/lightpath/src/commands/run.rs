use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use lightpath_control::config::{self, LoadError};
use lightpath_dataplane::use_object;

use crate::capabilities::{DAEMON, require};
use crate::cli::Run;
use crate::daemon;
use crate::instance::Instance;
use crate::logging;
use crate::output::print_line;

/// `lightpath run`: the daemon.
pub(crate) fn run(options: &Run, instance: Instance) -> Result<ExitCode> {
    let file = &options.file.config;
    if let Some(path) = &options.bpf_object {
        let object = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        use_object(object);
    }
    let loaded = match config::load(file) {
        Ok(loaded) => loaded,
        Err(LoadError::Invalid(problems)) => {
            eprintln!("{problems}");
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Err(error.into()),
    };
    require("lightpath run", DAEMON)?;
    logging::start();
    // One thread: the daemon mostly waits, and every thread costs memory.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    if options.try_out {
        let tried = runtime.block_on(daemon::try_out(&loaded, &instance))?;
        print_line(tried)?;
        return Ok(ExitCode::SUCCESS);
    }
    runtime.block_on(daemon::run(loaded, file, instance))?;
    Ok(ExitCode::SUCCESS)
}
