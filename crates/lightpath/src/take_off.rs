//! Taking an instance off a host: its data plane, and what was changed for it.

use anyhow::Result;
use lightpath_control::hops;
use lightpath_control::host::{self, CheckDevice, Ledger};
use lightpath_dataplane::{CheckWay, Detached};

use crate::instance::Instance;

/// What was taken off, and what was not.
#[derive(Debug)]
pub(crate) struct TakenOff {
    /// The interfaces that the data plane was on.
    pub(crate) interfaces: Vec<String>,
    /// How many changes to the host were undone.
    pub(crate) undone: usize,
    /// Why others were not.
    pub(crate) failures: Vec<String>,
}

/// Takes the data plane off its interfaces, then undoes what was changed on the host. A failure of one thing does not keep the
/// others from being undone.
pub(crate) async fn take_off(instance: &Instance) -> Result<TakenOff> {
    let Detached { interfaces, next_hops } = lightpath_dataplane::detach(&instance.pins)?;
    let mut ledger = Ledger::open(&instance.ledger)?;
    let changes = ledger.addresses().len() + ledger.sysctls().len() + ledger.queues().len();
    let mut failures: Vec<String> = host::undo(&mut ledger).await.iter().map(ToString::to_string).collect();
    let undone = changes.saturating_sub(failures.len());
    CheckWay::forget(&interfaces);
    if let Err(error) = CheckDevice::remove(&instance.name).await {
        failures.push(error.to_string());
    }
    if let Err(error) = hops::release(&next_hops).await {
        failures.push(format!("the kernel goes on resolving the backends' neighbours: {error}"));
    }
    Ok(TakenOff { interfaces, undone, failures })
}
