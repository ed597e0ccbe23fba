//! Programs inside a namespace, which do not outlive the lab.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::Arc;

use nix::sched::{CloneFlags, setns};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};

use crate::sysfs;

/// A command for `program` that enters `namespace` between fork and exec.
pub(crate) fn command_in(namespace: Arc<OwnedFd>, program: &str) -> Command {
    let parent = getpid();
    let mut command = Command::new(program);
    let enter = move || {
        die_with(parent)?;
        setns(&*namespace, CloneFlags::CLONE_NEWNET)?;
        sysfs::show_current_namespace()?;
        Ok(())
    };
    #[expect(unsafe_code, reason = "pre_exec is the only place between fork and exec")]
    // SAFETY: after fork only async-signal-safe work is allowed. `enter` makes plain system calls on constants and on
    // values it owns: it takes no lock and allocates nothing, errors included (an io::Error made of an errno).
    unsafe {
        command.pre_exec(enter)
    };
    command
}

/// Has the kernel kill this process when its parent's thread ends.
fn die_with(parent: Pid) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    // A parent that died before the line above sends no signal any more.
    if getppid() != parent {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    Ok(())
}

/// A child process that is killed and reaped when this value is dropped.
#[derive(Debug)]
pub struct KillOnDrop(pub Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // Both fail only for a child that has been waited for already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
