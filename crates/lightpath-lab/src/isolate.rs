//! A private view of the file system, so that nothing done in it is seen outside or survives.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::error::Error;

/// Where BPF objects are pinned, on every distribution.
const BPF_FS: &str = "/sys/fs/bpf";
/// The scratch directory. Its mount point is made inside the private BPF file system, so that not even an empty directory
/// appears on the host, and no directory of the host is covered.
const SCRATCH: &str = "/sys/fs/bpf/scratch";

const NOTHING: Option<&CStr> = None;

/// Gives the calling thread, and what it starts from now on, mounts of its own: a fresh BPF file system on
/// `/sys/fs/bpf`, and an empty tmpfs whose path is returned, for sockets, state and configuration.
///
/// Both vanish with the last process that sees them, also after SIGKILL. Call it first in a process: threads that exist
/// already keep the host's view. The rest of the file system is still the host's.
pub fn isolate() -> Result<PathBuf, Error> {
    let fail = |action: &str| {
        let action = action.to_owned();
        move |errno: nix::Error| Error::new("isolated mounts", action, io::Error::from(errno))
    };
    unshare(CloneFlags::CLONE_NEWNS).map_err(fail("make a mount namespace"))?;
    // Where / is shared, as systemd makes it, mounts would otherwise appear on the host as well.
    mount(NOTHING, c"/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)
        .map_err(fail("make / private"))?;
    mount(Some(c"bpf"), BPF_FS, Some(c"bpf"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(c"mode=0700"))
        .map_err(fail("mount a BPF file system on /sys/fs/bpf"))?;
    fs::create_dir(SCRATCH)
        .map_err(|error| Error::new("isolated mounts", format!("make the directory {SCRATCH}"), error))?;
    mount(
        Some(c"tmpfs"),
        SCRATCH,
        Some(c"tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some(c"mode=0700"),
    )
    .map_err(fail("mount a tmpfs for scratch files"))?;
    Ok(Path::new(SCRATCH).to_owned())
}
