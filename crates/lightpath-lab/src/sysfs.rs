//! A `/sys` that belongs to the network namespace of the calling thread.

use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, fchdir};
use std::ffi::CStr;

const NOTHING: Option<&CStr> = None;

/// Gives the calling thread (or forked child) a private mount namespace whose `/sys` shows the links of the network
/// namespace it is in.
///
/// sysfs shows the network namespace of whoever mounted it, so after setns(2) the old `/sys/class/net` would still list
/// the old links. `/sys/fs` does not depend on it and is carried over, because the BPF and cgroup file systems are
/// mounted there.
///
/// Only system calls, no allocation: it also runs between fork and exec.
pub(crate) fn show_current_namespace() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NOTHING, c"/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)?;
    let working_directory = open(c".", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    // Standing in the old /sys/fs keeps it reachable once the new /sys covers it.
    chdir(c"/sys/fs")?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some(c"sysfs"), c"/sys", Some(c"sysfs"), flags, NOTHING)?;
    mount(Some(c"."), c"/sys/fs", NOTHING, MsFlags::MS_BIND | MsFlags::MS_REC, NOTHING)?;
    fchdir(working_directory)
}
