//! `lightpath` as an operator uses it: a configuration, the daemon, and the other commands.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lightpath_lab::{KillOnDrop, Namespace};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{PATIENCE, TUNNELS, finish};

/// The program under test.
pub(crate) const LIGHTPATH: &str = env!("CARGO_BIN_EXE_lightpath");

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// Its exit status; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained about.
    pub(crate) stderr: String,
}

impl Output {
    /// Of a command that is run to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = finish(command, PATIENCE);
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The JSON that it printed.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

/// An instance of the load balancer on a host; dropping it kills the daemon.
#[derive(Debug)]
pub(crate) struct Balancer {
    /// The host it runs on.
    pub(crate) ns: Namespace,
    instance: &'static str,
    scratch: PathBuf,
    daemon: Option<KillOnDrop>,
}

impl Balancer {
    /// An instance that is not yet configured, with its files below `scratch`.
    pub(crate) fn new(ns: &Namespace, scratch: &Path, instance: &'static str) -> Self {
        Self { ns: ns.clone(), instance, scratch: scratch.to_owned(), daemon: None }
    }

    /// The API's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.scratch.join("run").join(format!("{}.sock", self.instance))
    }

    /// Writes the configuration file.
    pub(crate) fn configure(&self, text: &str) {
        fs::write(self.config(), text).unwrap();
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.scratch.join(format!("{}.toml", self.instance))
    }

    /// A command for this instance.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.ns.command(LIGHTPATH);
        command.args(arguments).args(["--instance", self.instance]);
        command.arg("--run-dir").arg(self.scratch.join("run"));
        command.arg("--state-dir").arg(self.scratch.join("state"));
        command
    }

    /// The daemon's command, which ends by itself only when it is refused.
    pub(crate) fn run_command(&self) -> Command {
        self.command(&["run", "--config", self.config().to_str().unwrap()])
    }

    /// Runs a command that ends.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        Output::of(&mut self.command(arguments))
    }

    /// Starts the daemon with this configuration.
    pub(crate) fn start_with(&mut self, config: &str) {
        self.configure(config);
        self.start();
    }

    /// Starts the daemon and waits until it balances.
    pub(crate) fn start(&mut self) {
        self.start_by(|_| ());
    }

    /// Starts the daemon by a command with more in it, and waits until it balances.
    pub(crate) fn start_by(&mut self, more: impl FnOnce(&mut Command)) {
        assert!(self.daemon.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        let mut command = self.run_command();
        more(&mut command);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut daemon = KillOnDrop(command.spawn().unwrap());
        let deadline = Instant::now() + PATIENCE;
        while self.ask(&["status", "--json"]).code != Some(0) {
            let ended = daemon.0.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "no daemon ({ended:?}): {}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
        self.daemon = Some(daemon);
    }

    /// Stops the daemon as systemd would, and waits for its end.
    pub(crate) fn stop(&mut self) {
        let status = self.end(Signal::SIGTERM);
        assert!(status.success(), "the daemon ended with {status}: {}", self.log());
    }

    /// Kills the daemon as the kernel would for want of memory.
    pub(crate) fn kill(&mut self) {
        self.end(Signal::SIGKILL);
    }

    fn end(&mut self, signal: Signal) -> std::process::ExitStatus {
        let mut daemon = self.daemon.take().expect("a daemon runs");
        kill(Pid::from_raw(daemon.0.id().cast_signed()), signal).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = daemon.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the daemon does not end on {signal}: {}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The daemon's process.
    pub(crate) fn pid(&self) -> u32 {
        self.daemon.as_ref().expect("a daemon runs").0.id()
    }

    /// What the daemon says of itself.
    pub(crate) fn status(&self) -> Status {
        let output = self.ask(&["status", "--json"]);
        assert_eq!(output.code, Some(0), "{output:?}");
        Status(output.json())
    }

    /// Takes the data plane off, which must succeed.
    pub(crate) fn detach(&self) -> Output {
        let output = self.ask(&["detach"]);
        assert_eq!(output.code, Some(0), "{output:?}");
        output
    }

    /// What the daemon has logged, over all its runs.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Where the daemon logs to.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.scratch.join(format!("{}.log", self.instance))
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("---- the daemon of instance {} logged:\n{}", self.instance, self.log());
        }
    }
}

/// The answer of `status --json`.
#[derive(Clone, Debug)]
pub(crate) struct Status(pub(crate) Value);

impl Status {
    /// A service by its name.
    pub(crate) fn service(&self, name: &str) -> &Value {
        let services = self.0["services"].as_array().unwrap();
        services.iter().find(|service| service["name"] == name).expect("a configured service")
    }

    /// A backend of a service, in the order of the configuration.
    pub(crate) fn backend(&self, service: &str, index: usize) -> &Value {
        &self.service(service)["backends"][index]
    }

    /// Nothing was dropped, but what did not fit a tunnel: so clients find out what does.
    pub(crate) fn has_lost_nothing(&self, forward: &str) {
        let drops = self.0["drops"].as_object().unwrap();
        let too_big = if TUNNELS.contains(&forward) { drops.get("too-big") } else { None };
        assert_eq!(drops.len(), usize::from(too_big.is_some()), "{self:?}");
    }
}

/// A number in an answer.
pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}
