use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use lightpath_control::config::{self, LoadError};

use crate::daemon;
use crate::instance::Instance;
use crate::logging;
use crate::root::require_root;

/// `lightpath run`: the daemon.
pub(crate) fn run(file: &Path, instance: Instance) -> Result<ExitCode> {
    let loaded = match config::load(file) {
        Ok(loaded) => loaded,
        Err(LoadError::Invalid(problems)) => {
            eprintln!("{problems}");
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Err(error.into()),
    };
    require_root("lightpath run")?;
    logging::start();
    // One thread: the daemon mostly waits, and every thread costs memory.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(daemon::run(loaded, file, instance))?;
    Ok(ExitCode::SUCCESS)
}
