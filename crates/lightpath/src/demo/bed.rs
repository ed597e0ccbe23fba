//! Where the demonstration takes place: a network in namespaces, servers on the backends, and the daemon in the balancer.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lightpath_dataplane::{PassProgram, attach_pass};
use lightpath_lab::topology::{Addresses, Host, OneArmed};
use lightpath_lab::{HttpServer, KillOnDrop, Namespace, isolate, serve_http};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::configuration::{self, BACKENDS, DemoService, SERVICES};
use super::page;
use crate::api;
use crate::status::Status;

/// How long the daemon may take to balance, or to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// The network, what runs in it, and the files of the daemon.
#[derive(Debug)]
pub(super) struct Bed {
    pub(super) lab: OneArmed,
    daemon: Option<KillOnDrop>,
    scratch: PathBuf,
    /// Held for as long as they should run.
    _servers: Vec<HttpServer>,
    /// `lightpath decap` on each backend, likewise.
    _tunnel_ends: Vec<KillOnDrop>,
    /// The balancer's peer on the switch takes what XDP transmits only while it has a program.
    _pass: PassProgram,
}

impl Bed {
    /// Builds the network and starts the servers. Must come before any thread is started.
    pub(super) fn build() -> Result<Self> {
        let scratch = isolate()?;
        let lab = OneArmed::new(u8::try_from(BACKENDS)?)?;
        let pass = lab.switch.run(|| attach_pass("to-balancer"))??;
        let mut servers = Vec::new();
        for backend in &lab.backends {
            for service in SERVICES {
                if service.is_direct() {
                    backend.accept_vip(service.vip())?;
                }
                servers.push(serve_http(&backend.ns, service.server(backend), backend.ns.name())?);
            }
        }
        let mut tunnel_ends = Vec::new();
        for backend in &lab.backends {
            tunnel_ends.push(unwrap_tunnels(backend, lab.balancer.address, &scratch)?);
        }
        fs::write(scratch.join("lightpath.toml"), configuration::file(&lab.backends, None))?;
        Ok(Self { lab, daemon: None, scratch, _servers: servers, _tunnel_ends: tunnel_ends, _pass: pass })
    }

    /// This program with a command, in the balancer's namespace and with the demonstration's directories.
    pub(super) fn lightpath(&self, command: &[&str]) -> Result<Command> {
        let mut lightpath = this_program(&self.lab.balancer.ns)?;
        lightpath.args(command).arg("--run-dir").arg(self.scratch.join("run"));
        lightpath.arg("--state-dir").arg(self.scratch.join("state"));
        Ok(lightpath)
    }

    /// Starts the daemon and waits until it balances.
    pub(super) fn start_daemon(&mut self) -> Result<()> {
        let log = File::create(self.log())?;
        let config = self.scratch.join("lightpath.toml");
        let mut run = self.lightpath(&["run", "-c", &config.to_string_lossy()])?;
        let child = run.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut child = KillOnDrop(child);
        let deadline = Instant::now() + PATIENCE;
        while self.status().is_err() {
            if child.0.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("the daemon does not start; it says:\n{}", fs::read_to_string(self.log())?);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.daemon = Some(child);
        Ok(())
    }

    /// Has the daemon run with one service as `changed` says.
    pub(super) fn reconfigure(&mut self, changed: DemoService) -> Result<()> {
        let file = configuration::file(&self.lab.backends, Some(changed));
        fs::write(self.scratch.join("lightpath.toml"), file)?;
        self.stop_daemon()?;
        self.start_daemon()
    }

    /// Stops the daemon as an operator would; the data plane stays.
    pub(super) fn stop_daemon(&mut self) -> Result<()> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        kill(Pid::from_raw(i32::try_from(daemon.0.id())?), Signal::SIGTERM)?;
        let deadline = Instant::now() + PATIENCE;
        while daemon.0.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("the daemon does not stop on SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Takes the data plane off.
    pub(super) fn detach(&mut self) -> Result<()> {
        self.stop_daemon()?;
        let output = self.lightpath(&["detach"])?.output()?;
        if !output.status.success() {
            bail!("lightpath detach fails: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// What the daemon says.
    pub(super) fn status(&self) -> Result<Status> {
        let body = api::get(&self.scratch.join("run/default.sock"), "/v1/status")?;
        Ok(serde_json::from_str(&body)?)
    }

    /// Where the status page is for this host's browsers.
    pub(super) fn page(&self) -> Result<SocketAddr> {
        page::bring_out(&self.lab.balancer.ns)
    }

    /// Says how to look around in the running setup, and leaves it until the process is ended.
    pub(super) fn hold(&self) -> Result<()> {
        let program = std::env::current_exe()?;
        let daemon = self.daemon.as_ref().context("no daemon runs")?.0.id();
        let client = format!("/proc/{}/fd/{}", std::process::id(), self.lab.client.ns.as_fd().as_raw_fd());
        println!(
            "\nThe setup stays until Ctrl-C. From another terminal, as the client and as the balancer's operator:"
        );
        println!("  nsenter --net={client} curl -s http://{}/", configuration::NAT4.address());
        println!(
            "  nsenter --target {daemon} --net --mount {} status --run-dir {}",
            program.display(),
            self.scratch.join("run").display()
        );
        println!("In a browser: http://{}/", self.page()?);
        loop {
            std::thread::park();
        }
    }

    fn log(&self) -> PathBuf {
        self.scratch.join("daemon.log")
    }
}

/// This program, on a host of the network.
fn this_program(host: &Namespace) -> Result<Command> {
    let program = std::env::current_exe().context("cannot find this program")?;
    Ok(host.command(&program.to_string_lossy()))
}

/// Has a backend unwrap what comes from the balancer, and waits until it does.
fn unwrap_tunnels(backend: &Host, balancer: Addresses, scratch: &Path) -> Result<KillOnDrop> {
    let name = backend.ns.name();
    // The backends are hosts of their own, on one file system.
    let pins = Path::new("/sys/fs/bpf").join(name);
    fs::create_dir(&pins)?;
    let log = scratch.join(format!("{name}.log"));
    let output = File::create(&log)?;
    let mut decap = this_program(&backend.ns)?;
    decap.args(["decap", "--interface", "eth0"]).arg("--bpf-dir").arg(pins);
    decap.arg("--run-dir").arg(scratch.join(name));
    for address in balancer.each() {
        decap.args(["--from", &address.to_string()]);
    }
    let mut child =
        KillOnDrop(decap.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn()?);
    let deadline = Instant::now() + PATIENCE;
    while !fs::read_to_string(&log)?.contains("unwrapping") {
        if child.0.try_wait()?.is_some() || Instant::now() > deadline {
            bail!("lightpath decap does not start on {name}; it says:\n{}", fs::read_to_string(&log)?);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(child)
}
