//! Where and when was measured.

use std::fs;
use std::thread;

use anyhow::{Context, Result};
use nix::sys::utsname::uname;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A host, as far as figures depend on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::bench) struct Machine {
    /// The day, in UTC, as 2026-11-23.
    pub(in crate::bench) date: String,
    /// The version of this program.
    pub(in crate::bench) version: String,
    /// Whether this program was built without optimisation; the packet path never is.
    pub(in crate::bench) debug_build: bool,
    /// What the kernel calls itself.
    pub(in crate::bench) kernel: String,
    /// The architecture, as x86_64.
    pub(in crate::bench) architecture: String,
    /// The processor's name.
    pub(in crate::bench) processor: String,
    /// CPUs that this process may use.
    pub(in crate::bench) cpus: usize,
    /// Mebibytes of memory.
    pub(in crate::bench) memory_mib: u64,
    /// The distribution.
    pub(in crate::bench) system: String,
    /// Whether the processor says that it is a virtual machine's.
    pub(in crate::bench) is_virtual: bool,
}

impl Machine {
    /// This one, today.
    pub(in crate::bench) fn look() -> Result<Self> {
        let names = uname().context("the kernel does not say what it is")?;
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (processor, memory, release) =
            (read("/proc/cpuinfo"), read("/proc/meminfo"), read("/etc/os-release"));
        let kib = field(&memory, "MemTotal:").and_then(|line| line.split(' ').next()?.parse().ok());
        Ok(Self {
            date: OffsetDateTime::now_utc().date().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            debug_build: cfg!(debug_assertions),
            kernel: names.release().to_string_lossy().into_owned(),
            architecture: names.machine().to_string_lossy().into_owned(),
            processor: field(&processor, "model name").map_or_else(unknown, |name| name.replace(": ", "")),
            cpus: thread::available_parallelism().map_or(1, usize::from),
            memory_mib: kib.unwrap_or(0_u64) / 1024,
            system: field(&release, "PRETTY_NAME=").map_or_else(unknown, |name| name.replace('"', "")),
            is_virtual: field(&processor, "flags")
                .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
        })
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The rest of the first line that begins so.
fn field<'a>(text: &'a str, begin: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(begin)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() {
        let machine = Machine::look().unwrap();
        assert_eq!(machine.date.len(), "2026-11-23".len(), "{}", machine.date);
        assert!(machine.cpus > 0 && machine.memory_mib > 0 && !machine.kernel.is_empty(), "{machine:?}");
    }

    #[test]
    fn a_field_is_the_rest_of_its_line() {
        let text = "MemFree:  1 kB\nMemTotal:       24 kB\n";
        assert_eq!(field(text, "MemTotal:"), Some("24 kB"));
        assert_eq!(field(text, "Swap:"), None);
    }
}
