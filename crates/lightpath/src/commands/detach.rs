use std::process::ExitCode;

use anyhow::{Result, bail};
use lightpath_control::hops;
use lightpath_control::host::{self, Ledger};
use lightpath_dataplane::Detached;
use serde_json::json;

use crate::api;
use crate::instance::Instance;
use crate::output::print_line;
use crate::root::require_root;

/// `lightpath detach`: takes the data plane off and undoes what was changed on the host.
pub(crate) fn run(instance: &Instance, json: bool) -> Result<ExitCode> {
    require_root("lightpath detach")?;
    if api::is_served(&instance.socket) {
        bail!(
            "the daemon of instance {} is running and would attach again; stop it first (SIGTERM)",
            instance.name
        );
    }
    let existed = instance.pins.exist();
    let Detached { interfaces, next_hops } = lightpath_dataplane::detach(&instance.pins)?;
    let mut ledger = Ledger::open(&instance.ledger)?;
    let changes = ledger.addresses().len() + ledger.sysctls().len();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut failures: Vec<String> =
        runtime.block_on(host::undo(&mut ledger)).iter().map(ToString::to_string).collect();
    let undone = changes.saturating_sub(failures.len());
    if let Err(error) = runtime.block_on(hops::release(&next_hops)) {
        failures.push(format!("backends stay neighbours that the kernel keeps resolved: {error}"));
    }

    if json {
        print_line(json!({ "interfaces": interfaces, "undone": undone, "failures": failures }))?;
    } else {
        print_line(match interfaces.as_slice() {
            [] if !existed && changes == 0 => format!("instance {} was not attached", instance.name),
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
