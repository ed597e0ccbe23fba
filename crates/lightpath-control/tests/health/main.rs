//! Health checks against real servers on loopback, good ones and bad ones.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod dns;
mod grpc;
mod http;
mod https;
mod schedule;
mod servers;
mod tcp;
mod udp;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use lightpath_control::config::parse;
use lightpath_control::health::{Cause, Checks, Position, Server, Standing, Targets, Ways};
use lightpath_control::model::{Backend, Config};

/// How long anything may take that usually takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service `web` of these backends, with these lines in its `[service.health]`.
fn config(lines: &[&str], backends: &[SocketAddr]) -> Config {
    let text = format!(
        "[node]\ninterfaces = [\"eth0\"]\n[[service]]\nname = \"web\"\nvip = \"203.0.113.10\"\nport = 80\n\
         protocol = \"tcp\"\n[service.health]\n{}\n",
        lines.join("\n")
    );
    let mut config = parse(&text, "f.toml").unwrap_or_else(|problems| panic!("{problems}"));
    // A file may not name addresses of loopback.
    let of =
        |to: &SocketAddr| Backend { address: to.ip(), port: Some(to.port()), weight: 1, server_id: None };
    config.services[0].backends = backends.iter().map(of).collect();
    config
}

/// The checks of a configuration, and a runtime to wait in.
struct Running {
    checks: Checks,
    runtime: tokio::runtime::Runtime,
}

impl Running {
    fn start(config: &Config) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let checks = Checks::start(Targets::of(config, &Ways::default()).unwrap()).unwrap();
        Self { checks, runtime }
    }

    fn of(lines: &[&str], backends: &[SocketAddr]) -> Self {
        Self::start(&config(lines, backends))
    }

    /// Waits until each backend has been checked.
    fn settle(&mut self) {
        self.runtime.block_on(self.checks.settle(PATIENCE));
    }

    fn standing(&self, backend: SocketAddr) -> Option<Standing> {
        let server: Server = (backend.ip(), Some(backend.port()));
        self.checks.peek().standing("web", server).cloned()
    }

    fn position(&self, backend: SocketAddr) -> Position {
        self.standing(backend).expect("it is checked").position
    }

    /// Waits until a backend is up or down; how long that took.
    #[track_caller]
    fn until(&mut self, backend: SocketAddr, holds: impl Fn(&Position) -> bool) -> Duration {
        let begun = Instant::now();
        while !holds(&self.position(backend)) {
            assert!(begun.elapsed() < PATIENCE, "it is {:?}", self.position(backend));
            std::thread::sleep(Duration::from_millis(2));
        }
        begun.elapsed()
    }
}

fn is_up(position: &Position) -> bool {
    matches!(position, Position::Up { .. })
}

fn is_down(position: &Position) -> bool {
    !is_up(position)
}

/// The outcome of the first check of a backend.
fn outcome(lines: &[&str], to: SocketAddr) -> Result<(), Cause> {
    let mut running = Running::of(lines, &[to]);
    running.settle();
    match running.position(to) {
        Position::Up { .. } => Ok(()),
        Position::Down(cause) => Err(cause),
    }
}

/// The words of the outcome of the first check, empty for a good one.
fn words(lines: &[&str], to: SocketAddr) -> String {
    outcome(lines, to).err().map_or_else(String::new, |cause| cause.to_string())
}

fn loopback(port: u16) -> SocketAddr {
    (IpAddr::from([127, 0, 0, 1]), port).into()
}
