use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::capabilities::{DATAPLANE, require};
use crate::cli::{Decap, Global};
use crate::decap;
use crate::instance::Instance;
use crate::logging;
use crate::output::{print, print_line};

/// `lightpath decap`: the backend's end of a tunnel, until SIGTERM or SIGINT.
pub(crate) fn run(options: &Decap, global: &Global) -> Result<ExitCode> {
    require("lightpath decap", DATAPLANE)?;
    logging::start();
    let instance = Instance::from(&Global { instance: options.instance(), ..global.clone() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let report = runtime.block_on(decap::serve(options, &instance))?;
    if global.json {
        print_line(serde_json::to_string_pretty(&report)?)?;
    } else {
        print(report)?;
    }
    Ok(ExitCode::SUCCESS)
}
