use std::fs;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

/// Files that a daemon has open beside those of its health checks: maps, sockets, the event loop.
const OWN_FILES: usize = 128;

/// The daemon may open as many files as its health checks take. The limit on locked memory no longer counts for BPF maps (Linux
/// 5.11, 97306be45fbe): they count as memory of the control group.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Finding>> {
    let whose = daemon(around).map_or_else(|| "self".to_owned(), |process| process.to_string());
    let path = format!("/proc/{whose}/limits");
    let limits = fs::read_to_string(&path).context(path)?;
    let files = soft_limit(&limits, "Max open files").context("no limit on open files is told")?;
    let checked = around.services().iter().filter(|service| service.health.is_some());
    let needed = OWN_FILES + checked.map(|service| service.backends.len()).sum::<usize>();
    let memory = Finding::ok("locked memory", "BPF maps do not count against it");
    Ok(vec![open_files(files, needed), memory])
}

fn open_files(limit: usize, needed: usize) -> Finding {
    let known = if limit == usize::MAX { "unlimited".to_owned() } else { limit.to_string() };
    if limit >= needed {
        return Finding::ok("open files", format_args!("{known}; {needed} may be needed"));
    }
    let what = format!("{known} are allowed, and {needed} may be needed at a time");
    let why = "health checks that cannot open a socket fail, and their backends with them";
    let mend = format!(
        "systemctl set-property lightpath LimitNOFILE={needed}, or ulimit -n {needed} before `lightpath run`"
    );
    Finding::error("open files", what, why).mend(mend)
}

/// The process that listens on the instance's socket.
fn daemon(around: &Surroundings) -> Option<i32> {
    let socket = UnixStream::connect(&around.instance.socket).ok()?;
    getsockopt(&socket, PeerCredentials).ok().map(|peer| peer.pid()).filter(|process| *process > 0)
}

/// The limit that applies now, of a line in /proc/PID/limits.
fn soft_limit(limits: &str, name: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(usize::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity;

    #[test]
    fn limits_are_those_that_apply() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n\
                      Max locked memory         unlimited            unlimited            bytes\n";
        assert_eq!(soft_limit(limits, "Max open files"), Some(1024));
        assert_eq!(soft_limit(limits, "Max locked memory"), Some(usize::MAX));
        assert_eq!(soft_limit(limits, "Max processes"), None);
        assert_eq!(open_files(1024, 1025).severity, Severity::Error);
        assert_eq!(open_files(1024, 1024).severity, Severity::Ok);
    }
}
