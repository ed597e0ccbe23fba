//! The real daemon, as it is measured: this very program, with directories of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lightpath_dataplane::Pins;
use lightpath_lab::{KillOnDrop, Namespace};

use crate::api;

/// How long the daemon may take until it balances.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often is looked whether it does.
const LOOK: Duration = Duration::from_millis(2);

/// A running daemon.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) process: KillOnDrop,
    directory: PathBuf,
}

/// What it logs to, in its directory.
pub(super) const LOG: &str = "log";

impl Daemon {
    /// Starts it in a namespace, with this configuration. `directory` is its own; its pins are in the BPF file system, under the
    /// directory's name.
    pub(super) fn start(host: &Namespace, directory: &Path, configuration: &str) -> Result<Self> {
        let config = directory.join("lightpath.toml");
        fs::write(&config, configuration).with_context(|| format!("cannot write {}", config.display()))?;
        let log = File::create(directory.join(LOG))?;
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command: Command = host.command(&program.to_string_lossy());
        command.arg("run").arg("-c").arg(config).arg("--run-dir").arg(directory.join("run"));
        command.arg("--state-dir").arg(directory.join("state")).arg("--bpf-dir").arg(pins(directory));
        let process = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Self { process: KillOnDrop(process), directory: directory.to_owned() })
    }

    /// Waits until it balances, and answers.
    pub(super) fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while api::get(&self.socket(), "/v1/status").is_err() {
            if self.process.0.try_wait()?.is_some() || Instant::now() > deadline {
                let said = fs::read_to_string(self.directory.join(LOG)).unwrap_or_default();
                bail!("the daemon does not start; it says:\n{said}");
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Has it take another configuration.
    pub(super) fn reload(&self, configuration: &str) -> Result<()> {
        fs::write(self.directory.join("lightpath.toml"), configuration)?;
        api::send_within(
            &self.socket(),
            hyper::Method::POST,
            "/v1/reload?discard=false&now=false",
            None,
            PATIENCE,
        )?;
        Ok(())
    }

    /// Its pins.
    pub(super) fn pins(&self) -> Pins {
        Pins::new(&pins(&self.directory), "default")
    }

    /// Where its API is.
    pub(super) fn socket(&self) -> PathBuf {
        self.directory.join("run/default.sock")
    }
}

fn pins(directory: &Path) -> PathBuf {
    Path::new("/sys/fs/bpf").join(directory.file_name().unwrap_or_default())
}

/// Bytes of memory that a process has of its own and shares with others, now (proc_pid_status(5)).
pub(super) fn resident(process: u32) -> Result<u64> {
    let file = format!("/proc/{process}/status");
    let status = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("{file} does not say how much memory is resident"))? * 1024)
}
