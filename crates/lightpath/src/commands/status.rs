use std::process::ExitCode;

use anyhow::{Context, Error, Result};

use crate::api;
use crate::instance::Instance;
use crate::output::{print, print_line};
use crate::status::Status;

/// `lightpath status`: what the running daemon says.
pub(crate) fn run(instance: &Instance, json: bool) -> Result<ExitCode> {
    let body = api::get(&instance.socket, "/v1/status").map_err(|error| unanswered(instance, error))?;
    if json {
        print_line(body)?;
    } else {
        let status: Status = serde_json::from_str(&body).context("the daemon is of another version")?;
        print(status)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is wrong when the daemon does not answer, or does not like the question.
pub(super) fn unanswered(instance: &Instance, error: Error) -> Error {
    if api::is_served(&instance.socket) { error } else { error.context(absent(instance)) }
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
