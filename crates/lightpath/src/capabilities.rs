//! What of root's power a command takes (capabilities(7)). The unit in contrib/systemd grants the daemon's, and no more.

use std::fmt;
use std::fs;

use anyhow::{Context, Result, bail};

/// A capability, by its number in uapi/linux/capability.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capability {
    /// Attach programs, set neighbours, addresses and the sysctls of networks.
    NetAdmin = 12,
    /// Send ARP, neighbour advertisements and ICMP.
    NetRaw = 13,
    /// Make namespaces and mounts.
    SysAdmin = 21,
    /// Load programs that the verifier lets do arithmetic with pointers, and measure (kernel commit 2c78ee898d8f).
    Perfmon = 38,
    /// Load programs and make maps.
    Bpf = 39,
}

/// What the data plane takes.
pub(crate) const DATAPLANE: &[Capability] = &[Capability::Bpf, Capability::NetAdmin, Capability::Perfmon];
/// What the daemon takes: also announcing, and checks by ICMP.
pub(crate) const DAEMON: &[Capability] =
    &[Capability::Bpf, Capability::NetAdmin, Capability::NetRaw, Capability::Perfmon];
/// What a whole setup in namespaces takes.
pub(crate) const LAB: &[Capability] =
    &[Capability::Bpf, Capability::NetAdmin, Capability::NetRaw, Capability::Perfmon, Capability::SysAdmin];

/// Refuses to go on without these, before anything is touched.
pub(crate) fn require(what: &str, needed: &[Capability]) -> Result<()> {
    let status = fs::read_to_string("/proc/thread-self/status").context("/proc/thread-self/status")?;
    let held = effective(&status).context("/proc/thread-self/status names no capabilities")?;
    let missing: Vec<String> =
        needed.iter().filter(|capability| held & capability.bit() == 0).map(ToString::to_string).collect();
    if !missing.is_empty() {
        bail!(
            "{what} lacks {}: it loads BPF programs and changes network interfaces; run it as root, or by a unit that grants that",
            missing.join(", ")
        );
    }
    Ok(())
}

/// The effective set of proc_pid_status(5), a bit each.
fn effective(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

impl Capability {
    fn bit(self) -> u64 {
        1 << self as u32
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
        })
    }
}
