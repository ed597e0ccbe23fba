//! A client, a system on a host of its own, and a backend behind it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lightpath_dataplane::Pins;
use lightpath_lab::topology::{TwoArmed, plan};
use lightpath_lab::{
    AfterAnswer, Answered, ClosedLoop, EchoServer, KillOnDrop, Travel, serve_plain_udp_echo, serve_tcp_echo,
};

use crate::bench::daemon::LOG;

/// What stands between client and backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct System {
    /// What it is called.
    pub(super) name: &'static str,
    /// A word for its directory.
    pub(super) word: &'static str,
    /// Whether it carries datagrams too.
    pub(super) carries_udp: bool,
    /// Whether clients ask the backend itself, without a balancer.
    pub(super) is_direct: bool,
    /// Starts it.
    pub(super) start: fn(&Stand) -> Result<Started>,
}

/// Where a system is started.
#[derive(Debug)]
pub(super) struct Stand {
    pub(super) lab: TwoArmed,
    /// A directory of its own.
    pub(super) scratch: PathBuf,
}

/// A system at work.
#[derive(Debug, Default)]
pub(super) struct Started {
    /// Its process, if it is one.
    pub(super) process: Option<KillOnDrop>,
    /// The pins of its maps, if it has any.
    pub(super) pins: Option<Pins>,
    /// What it calls itself.
    pub(super) version: Option<String>,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) system: System,
    pub(super) started: Started,
    pub(super) stand: Stand,
    _servers: Vec<EchoServer>,
}

/// Where connections stay, and where datagrams go.
pub(super) const KEEPING: u16 = 80;
/// Where the server closes a connection after it has answered.
pub(super) const CLOSING: u16 = 81;
/// Host number of the VIP.
const VIP: u8 = 10;
/// How long a system may take until it forwards.
const PATIENCE: Duration = Duration::from_secs(20);

/// The address that clients ask.
pub(super) fn vip() -> Ipv4Addr {
    plan::VIPS.host(VIP).v4
}

impl Stand {
    /// The address of the backend.
    pub(super) fn backend(&self) -> Ipv4Addr {
        self.lab.backends.first().map_or(Ipv4Addr::UNSPECIFIED, |backend| backend.address.v4)
    }

    /// A file of the system's.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.scratch.join(name);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }
}

impl Network {
    /// Builds the network, starts the system, and waits until it forwards.
    pub(super) fn build(system: System, scratch: &Path) -> Result<Self> {
        let lab = TwoArmed::new(1)?;
        let scratch = scratch.join(system.word);
        std::fs::create_dir(&scratch)?;
        let stand = Stand { lab, scratch };
        let mut servers = Vec::new();
        for backend in &stand.lab.backends {
            let at = |port| SocketAddr::new(backend.address.v4.into(), port);
            servers.push(serve_tcp_echo(&backend.ns, at(KEEPING), AfterAnswer::Keep)?);
            servers.push(serve_tcp_echo(&backend.ns, at(CLOSING), AfterAnswer::Close)?);
            servers.push(serve_plain_udp_echo(&backend.ns, at(KEEPING))?);
        }
        let started = (system.start)(&stand).with_context(|| format!("cannot start {}", system.name))?;
        let network = Self { system, started, stand, _servers: servers };
        network.wait()?;
        Ok(network)
    }

    /// Asks the backend by way of the system.
    pub(super) fn ask(&self, by: Travel, flows: usize, duration: Duration) -> Result<Answered> {
        let address = if self.system.is_direct { self.stand.backend() } else { vip() };
        let port = if by == Travel::FreshTcp { CLOSING } else { KEEPING };
        let to = SocketAddr::new(address.into(), port);
        Ok(ClosedLoop { to, by, flows, duration }.run(&self.stand.lab.client.ns)?)
    }

    /// Waits until questions of every kind are answered.
    fn wait(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let kinds: &[Travel] = if self.system.carries_udp {
            &[Travel::Tcp, Travel::FreshTcp, Travel::Udp]
        } else {
            &[Travel::Tcp, Travel::FreshTcp]
        };
        for by in kinds {
            loop {
                let asked = self.ask(*by, 1, Duration::from_millis(20));
                match asked {
                    Ok(answered) if !answered.times.is_empty() => break,
                    _ if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
                    Ok(_) => anyhow::bail!("{} does not forward by {by:?}{}", self.system.name, self.said()),
                    Err(error) => {
                        return Err(error.context(format!(
                            "{} does not forward{}",
                            self.system.name,
                            self.said()
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    /// What the system has written, for an error.
    fn said(&self) -> String {
        let log = std::fs::read_to_string(self.stand.scratch.join(LOG)).unwrap_or_default();
        if log.is_empty() { String::new() } else { format!("; it says:\n{log}") }
    }
}
