use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::json;

use crate::api;
use crate::capabilities::{DATAPLANE, require};
use crate::instance::Instance;
use crate::output::print_line;
use crate::take_off::{TakenOff, take_off};

/// `lightpath detach`: takes the data plane off and undoes what was changed on the host.
pub(crate) fn run(instance: &Instance, json: bool) -> Result<ExitCode> {
    require("lightpath detach", DATAPLANE)?;
    if api::is_served(&instance.socket) {
        bail!(
            "the daemon of instance {} is running and would attach again; stop it first (SIGTERM)",
            instance.name
        );
    }
    let existed = instance.pins.exist();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let TakenOff { interfaces, undone, failures } = runtime.block_on(take_off(instance))?;

    if json {
        print_line(json!({ "interfaces": interfaces, "undone": undone, "failures": failures }))?;
    } else {
        print_line(match interfaces.as_slice() {
            [] if !existed && undone == 0 => format!("instance {} was not attached", instance.name),
            [] => format!("instance {} was attached to no interface", instance.name),
            names => format!("detached from {}", names.join(", ")),
        })?;
        if undone > 0 {
            print_line(format_args!("{undone} changes to this host undone"))?;
        }
        for failure in &failures {
            eprintln!("lightpath: {failure}");
        }
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
