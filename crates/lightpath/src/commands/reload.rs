use std::process::ExitCode;

use anyhow::Result;

use super::status::unanswered;
use crate::api;
use crate::instance::Instance;
use crate::output::print_line;
use crate::reloaded::Reloaded;

/// `lightpath reload`: the daemon reads its file again.
pub(crate) fn run(instance: &Instance, json: bool) -> Result<ExitCode> {
    let answer = api::post(&instance.socket, "/v1/reload", "null".to_owned())
        .map_err(|error| unanswered(instance, error))?;
    let reloaded: Reloaded = serde_json::from_str(&answer)?;
    if json {
        print_line(&answer)?;
    } else {
        print_line(&reloaded)?;
    }
    Ok(ExitCode::SUCCESS)
}
