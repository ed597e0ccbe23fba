//! What `--fix` does: only what cannot make matters worse.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use lightpath_control::host::{Gone, Ledger, device, queues, sysctl};
use lightpath_control::model::Queues;
use lightpath_dataplane::Pins;
use nix::mount::{MsFlags, mount};

use super::surroundings::Surroundings;

/// Something that can be mended from here.
#[derive(Clone, Debug)]
pub(super) enum Fix {
    /// A sysctl, by its path below /proc/sys, gets another value.
    Sysctl { path: String, value: &'static str },
    /// A BPF file system is mounted.
    MountBpffs(PathBuf),
    /// A feature of an interface's driver is switched off.
    SwitchOff { interface: String, feature: &'static str },
    /// The queues of an interface are spread over the CPUs, in these steps.
    SpreadQueues { interface: String, commands: Vec<String> },
    /// A pin that leads to nothing is removed.
    RemovePin(PathBuf),
    /// Entries of interfaces that are gone are struck from the ledger.
    StrikeGone,
}

impl Fix {
    /// What to type for the same effect.
    pub(super) fn command(&self) -> String {
        match self {
            Self::Sysctl { path, value } => sysctl_command(path, value),
            Self::MountBpffs(path) => format!("mount -t bpf bpf {}", path.display()),
            Self::SwitchOff { interface, feature } => format!("ethtool -K {interface} {feature} off"),
            Self::SpreadQueues { commands, .. } => commands.join("; "),
            Self::RemovePin(path) => format!("rm -r {}", path.display()),
            Self::StrikeGone => "lightpath doctor --fix".to_owned(),
        }
    }

    /// Does it.
    pub(super) fn apply(&self, around: &Surroundings) -> Result<()> {
        match self {
            Self::Sysctl { path, value } if is_the_daemons(path) => set(path, value, around)?,
            Self::Sysctl { path, value } => sysctl::write(path, value)?,
            Self::MountBpffs(path) => {
                let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
                mount(Some("bpf"), path, Some("bpf"), flags, Some("mode=0700"))
                    .with_context(|| format!("cannot mount a BPF file system on {}", path.display()))?;
            }
            Self::SwitchOff { interface, feature } => device::switch_off(interface, feature)?,
            Self::SpreadQueues { interface, .. } => {
                let mut ledger = Ledger::open(&around.instance.ledger)?;
                let (_, failed) = queues::arrange(interface, Queues::Auto, &mut ledger);
                if let Some(error) = failed.into_iter().next() {
                    return Err(error.into());
                }
            }
            Self::RemovePin(path) => Pins::remove_leftover(path)?,
            Self::StrikeGone => {
                let mut ledger = Ledger::open(&around.instance.ledger)?;
                Gone::of(&ledger).strike(&mut ledger)?;
            }
        }
        Ok(())
    }
}

/// Whether a sysctl is of the kind that the daemon sets and `lightpath detach` puts back.
fn is_the_daemons(path: &str) -> bool {
    path.starts_with("net/ipv4/conf/") || path.starts_with("net/ipv6/conf/")
}

/// Sets a sysctl that is Lightpath's to set, so that `lightpath detach` puts it back. While a daemon runs, the ledger is its own, and has
/// the value that was there before; the new one is the same as the daemon's.
fn set(path: &str, value: &str, around: &Surroundings) -> Result<()> {
    if around.is_served {
        return Ok(sysctl::write(path, value)?);
    }
    Ok(sysctl::set(path, value, &mut Ledger::open(&around.instance.ledger)?)?)
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StrikeGone => f.write_str("struck what is gone from the list of changes to this host"),
            fix => f.write_str(&fix.command()),
        }
    }
}

/// How sysctl(8) writes a path: dots between its parts, and slashes where a part has dots.
fn sysctl_command(path: &str, value: &str) -> String {
    let key: Vec<String> = path.split('/').map(|part| part.replace('.', "/")).collect();
    format!("sysctl -w {}={value}", key.join("."))
}

#[cfg(test)]
mod tests {
    use super::sysctl_command;

    #[test]
    fn sysctls_of_vlan_interfaces_are_written_with_slashes() {
        let command = sysctl_command("net/ipv4/conf/eth0.100/rp_filter", "2");
        assert_eq!(command, "sysctl -w net.ipv4.conf.eth0/100.rp_filter=2");
    }
}
