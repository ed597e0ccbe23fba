//! Most of what this program does, only root may do.

use anyhow::{Result, bail};

/// Refuses to go on without root, before anything is touched.
pub(crate) fn require_root(what: &str) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("{what} needs root: it loads BPF programs and changes network interfaces; try sudo");
    }
    Ok(())
}
