use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use lightpath_control::config::{self, LoadError};
use serde_json::json;

use crate::output::print_line;

/// `lightpath check`: says everything that is wrong with a configuration file.
pub(crate) fn run(file: &Path, json: bool) -> Result<ExitCode> {
    match config::load(file) {
        Ok(loaded) => {
            let config = loaded.config();
            let backends: usize = config.services.iter().map(|service| service.backends.len()).sum();
            let services = config.services.len();
            if json {
                print_line(
                    json!({ "valid": true, "services": services, "backends": backends, "problems": [] }),
                )?;
            } else {
                let (services, backends) = (count(services, "service"), count(backends, "backend"));
                print_line(format_args!("{}: valid, {services} with {backends}", file.display()))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(LoadError::Invalid(problems)) => {
            if json {
                print_line(json!({ "valid": false, "problems": problems }))?;
            } else {
                eprintln!("{problems}");
            }
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
