//! Where an instance keeps its things.

use std::path::PathBuf;

use lightpath_dataplane::Pins;

use crate::cli::Global;

/// The places of one load balancer among several on a host.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) socket: PathBuf,
    /// What was changed on this host.
    pub(crate) ledger: PathBuf,
    /// What was changed of the configuration at run time.
    pub(crate) overrides: PathBuf,
    pub(crate) pins: Pins,
}

impl From<&Global> for Instance {
    fn from(global: &Global) -> Self {
        Self {
            name: global.instance.clone(),
            socket: global.run_dir.join(format!("{}.sock", global.instance)),
            ledger: global.state_dir.join(&global.instance).join("host.json"),
            overrides: global.state_dir.join(&global.instance).join("overrides.json"),
            pins: Pins::new(&global.bpf_dir, &global.instance),
        }
    }
}
