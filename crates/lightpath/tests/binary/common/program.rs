//! Programs of other people, inside a namespace and within a time.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::{env, net::TcpStream};

use lightpath_lab::{KillOnDrop, Namespace};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{PATIENCE, eventually};

/// Runs a command to its end; one that has not ended `within` this time is killed, and the test fails.
pub(crate) fn finish(command: &mut Command, within: Duration) -> Output {
    let child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let pid = Pid::from_raw(child.id().cast_signed());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(child.wait_with_output()));
    if let Ok(output) = told.recv_timeout(within) {
        return output.unwrap();
    }
    kill(pid, Signal::SIGKILL).unwrap();
    panic!("not ended within {within:?}: {command:?}");
}

/// Runs ip(8) in a namespace; what it prints.
pub(crate) fn ip(namespace: &Namespace, arguments: &str) -> String {
    let output = finish(namespace.command("ip").args(arguments.split(' ')), PATIENCE);
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn spawn(command: &mut Command) -> Child {
    // Debian keeps servers where the PATH of `su` does not look.
    let path = env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!(
                "{} is not installed, and this test needs it; run scripts/setup --test",
                command.get_program().display()
            )
        }
        Err(error) => panic!("{command:?} does not start: {error}"),
    }
}

/// A server of somebody else; dropping it ends it, and prints what it said when the test has failed.
#[derive(Debug)]
pub(crate) struct Server {
    _child: KillOnDrop,
    name: String,
    log: PathBuf,
}

impl Server {
    /// Starts a server that stays in the foreground; what it says goes to `directory`.
    pub(crate) fn start(command: &mut Command, name: &str, directory: &Path) -> Self {
        let log = directory.join("output");
        let output = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        Self { _child: KillOnDrop(spawn(command)), name: name.to_owned(), log }
    }

    /// Waits until it takes TCP connections on a port.
    pub(crate) fn listens(self, namespace: &Namespace, address: std::net::SocketAddr) -> Self {
        eventually(&format!("{} listens on {address}", self.name), || {
            namespace.run(|| TcpStream::connect(address).is_ok()).unwrap()
        });
        self
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            eprintln!("---- {} said:\n{said}", self.name);
        }
    }
}
