//! Where an instance keeps its things.

use std::path::PathBuf;

use lightpath_dataplane::Pins;

use crate::api::Place;
use crate::cli::Global;

/// The places of one load balancer among several on a host.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) name: String,
    /// Where its daemon listens on this host.
    pub(crate) socket: PathBuf,
    /// Where its daemon is asked.
    pub(crate) place: Place,
    /// What was changed on this host.
    pub(crate) ledger: PathBuf,
    /// What was changed of the configuration at run time.
    pub(crate) overrides: PathBuf,
    pub(crate) pins: Pins,
}

impl From<&Global> for Instance {
    fn from(global: &Global) -> Self {
        let socket = global.run_dir.join(format!("{}.sock", global.instance));
        Self {
            name: global.instance.clone(),
            place: global.remote.place().unwrap_or_else(|| Place::Socket(socket.clone())),
            socket,
            ledger: global.state_dir.join(&global.instance).join("host.json"),
            overrides: global.state_dir.join(&global.instance).join("overrides.json"),
            pins: Pins::new(&global.bpf_dir, &global.instance),
        }
    }
}

impl Instance {
    /// Whether its daemon is this host's.
    pub(crate) fn is_here(&self) -> bool {
        matches!(self.place, Place::Socket(_))
    }
}
