use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context, Result, bail};
use hyper::Method;
use serde_json::json;

use super::status::unanswered;
use crate::api;
use crate::changed::Exchanged;
use crate::cli::Upgrade;
use crate::instance::Instance;
use crate::output::print_line;
use crate::status::Status;

/// How long the trial may take, and then the new version until it answers.
const PATIENCE: Duration = Duration::from_mins(1);

/// `lightpath upgrade`: the daemon goes on as another version.
pub(crate) fn upgrade(instance: &Instance, options: &Upgrade, json: bool) -> Result<ExitCode> {
    let binary = match &options.binary {
        Some(binary) => binary.canonicalize().with_context(|| binary.display().to_string())?,
        None => env::current_exe().context("cannot tell where this program is")?,
    };
    let body = json!({ "binary": binary }).to_string();
    let answer = api::send_within(&instance.socket, Method::POST, "/v1/upgrade", Some(body), PATIENCE)
        .map_err(|error| unanswered(instance, error))?;
    let begun: Exchanged = serde_json::from_str(&answer).context("the daemon is of another version")?;
    let status = wait_for_another(instance, begun.before)?;
    let done = Exchanged { after: Some(status.program.id), ..begun };
    if json {
        print_line(serde_json::to_string(&done)?)?;
    } else {
        let tried = done.tried.as_deref().unwrap_or("nothing");
        print_line(format_args!(
            "lightpath {} balances now (program {}, before it {}); tried on the live tables: {tried}",
            status.version, status.program.id, done.before
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The status of the daemon as soon as another program runs.
fn wait_for_another(instance: &Instance, before: u32) -> Result<Status> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Ok(body) = api::get(&instance.socket, "/v1/status") {
            let status: Status = serde_json::from_str(&body).context("the daemon is of another version")?;
            if status.program.id != before {
                return Ok(status);
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!(
        "the new version does not answer; the data plane goes on as it was, and the log of the daemon says why. Start the daemon \
         again with `lightpath run`"
    )
}

/// `lightpath rollback`: the packet path of before the last upgrade.
pub(crate) fn roll_back(instance: &Instance, json: bool) -> Result<ExitCode> {
    let answer = api::send(&instance.place, Method::POST, "/v1/rollback", None)
        .map_err(|error| unanswered(instance, error))?;
    let exchanged: Exchanged = serde_json::from_str(&answer).context("the daemon is of another version")?;
    if json {
        print_line(&answer)?;
    } else {
        let now = exchanged.after.unwrap_or_default();
        print_line(format_args!("program {now} balances again, in the place of {}", exchanged.before))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `lightpath bpf-object`: the packet path as an ELF object.
pub(crate) fn write_object() -> Result<ExitCode> {
    std::io::stdout().write_all(lightpath_dataplane::object())?;
    Ok(ExitCode::SUCCESS)
}
