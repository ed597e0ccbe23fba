//! Where an instance keeps its things.

use std::path::PathBuf;

use lightpath_dataplane::Pins;

use crate::cli::Global;

/// The places of one load balancer among several on a host.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) socket: PathBuf,
    pub(crate) ledger: PathBuf,
    pub(crate) pins: Pins,
}

impl From<&Global> for Instance {
    fn from(global: &Global) -> Self {
        Self {
            name: global.instance.clone(),
            socket: global.run_dir.join(format!("{}.sock", global.instance)),
            ledger: global.state_dir.join(&global.instance).join("host.json"),
            pins: Pins::new(&global.bpf_dir, &global.instance),
        }
    }
}
