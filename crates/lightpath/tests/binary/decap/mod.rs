//! The other end of tunnels on a backend, and its life.

mod checks;
mod command;
mod scenes;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;

use lightpath_dataplane::Interface;
use lightpath_lab::topology::{Host, plan};
use lightpath_lab::{KillOnDrop, Namespace};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::common::{Bed, Family, LIGHTPATH, Output, PATIENCE, eventually};

/// `lightpath decap` on the `eth0` of a host; dropping it kills it.
pub(crate) struct Decap {
    ns: Namespace,
    scratch: PathBuf,
    process: Option<KillOnDrop>,
}

impl Decap {
    /// On every backend, for tunnels from the balancer.
    pub(crate) fn on_all(bed: &Bed) -> Vec<Self> {
        let balancer = plan::SERVICE.host(plan::BALANCER);
        let from = Family::BOTH.map(|family| family.of(balancer).to_string());
        let start = |backend: &Host| {
            let mut decap = Self::new(&backend.ns, &bed.scratch);
            decap.start(&["--from", &from[0], "--from", &from[1]]);
            decap
        };
        bed.backends.iter().map(start).collect()
    }

    /// Not running yet.
    fn new(ns: &Namespace, scratch: &Path) -> Self {
        Self { ns: ns.clone(), scratch: scratch.to_owned(), process: None }
    }

    /// A command of this host.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.ns.command(LIGHTPATH);
        command.args(arguments);
        // The hosts of a test share its files, and all have an eth0.
        let host = self.ns.name();
        command.arg("--run-dir").arg(self.scratch.join("run").join(host));
        command.arg("--state-dir").arg(self.scratch.join("state").join(host));
        command.arg("--bpf-dir").arg(self.bpf());
        command
    }

    /// Where this host's maps and programs are.
    fn bpf(&self) -> PathBuf {
        Path::new("/sys/fs/bpf").join(self.ns.name())
    }

    /// Starts it and waits until it says that it unwraps.
    fn start(&mut self, arguments: &[&str]) {
        let said = self.log().matches("\"unwrapping\"").count();
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        let mut command = self.command(&[&["decap", "-i", "eth0", "--json"], arguments].concat());
        command.stdin(Stdio::null()).stdout(File::create(self.answer_file()).unwrap()).stderr(log);
        let mut process = KillOnDrop(command.spawn().unwrap());
        let deadline = Instant::now() + PATIENCE;
        while self.log().matches("\"unwrapping\"").count() == said {
            let ended = process.0.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "not running ({ended:?}): {}", self.log());
            thread::sleep(std::time::Duration::from_millis(10));
        }
        self.process = Some(process);
    }

    /// Stops it as systemd would; what it counted.
    fn stop(&mut self) -> Value {
        let status = self.end(Signal::SIGTERM);
        assert!(status.success(), "it ended with {status}: {}", self.log());
        let answer = fs::read_to_string(self.answer_file()).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("no JSON ({error}): {answer}"))
    }

    fn end(&mut self, signal: Signal) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        kill(Pid::from_raw(process.0.id().cast_signed()), signal).unwrap();
        let mut status = None;
        eventually(&format!("it ends on {signal}"), || {
            status = process.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Runs it where it has to end by itself.
    fn refused(&self, arguments: &[&str]) -> Output {
        let output = Output::of(&mut self.command(&[&["decap"], arguments].concat()));
        assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{output:?}");
        output
    }

    /// The id of the XDP program on `eth0`.
    fn program(&self) -> Option<u32> {
        self.ns.run(|| Interface::named("eth0").unwrap().xdp.map(|program| program.id)).unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.scratch.join(format!("{}-decap.log", self.ns.name()))
    }

    fn answer_file(&self) -> PathBuf {
        self.scratch.join(format!("{}-decap.json", self.ns.name()))
    }
}

impl Drop for Decap {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("---- lightpath decap on {} logged:\n{}", self.ns.name(), self.log());
        }
    }
}
