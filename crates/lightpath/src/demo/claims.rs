//! The scenes: what is done, what is claimed, and how it is measured.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lightpath_lab::{Answer, HttpConnection, Load};

use super::bed::Bed;
use super::configuration::{DSR4, DSR6, DemoService, GUE6, IPIP4, NAT4, NAT6, STICKY, WEIGHTED};
use super::report::{BackendShare, Packets, Scene};

/// Requests on their way at a time.
const CONCURRENCY: usize = 32;
/// Connections held open while the weights change.
const HELD: usize = 100;
/// How long one may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long connections may take to close, until nothing more is counted.
const SETTLE: Duration = Duration::from_secs(3);

/// A scene of the demonstration.
#[derive(Clone, Copy, Debug)]
pub(super) enum Claim {
    /// Requests are shared by weight.
    Shares(&'static str, DemoService),
    /// A client address stays with its backend.
    Sticks(&'static str, DemoService),
    /// Open connections stay with their backends when weights change.
    Survives(&'static str, DemoService),
    /// Packets go on without the daemon.
    Unattended(&'static str, DemoService),
}

/// All scenes, in order. The last ones stop the daemon.
pub(super) const SCENES: [Claim; 10] = [
    Claim::Shares("nat, IPv4", NAT4),
    Claim::Shares("nat, IPv6", NAT6),
    Claim::Shares("dsr, IPv4", DSR4),
    Claim::Shares("dsr, IPv6", DSR6),
    Claim::Shares("ipip, IPv4", IPIP4),
    Claim::Shares("gue, IPv6", GUE6),
    Claim::Shares("weights 1:2:3", WEIGHTED),
    Claim::Sticks("sticky by client", STICKY),
    Claim::Survives("connections kept", NAT4),
    Claim::Unattended("daemon stopped", NAT4),
];

impl Claim {
    /// What it is about.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Shares(title, _)
            | Self::Sticks(title, _)
            | Self::Survives(title, _)
            | Self::Unattended(title, _) => title,
        }
    }

    /// Sends `requests` requests and looks at what became of them.
    pub(super) fn play(self, bed: &mut Bed, requests: u32) -> Result<Scene> {
        match self {
            Self::Shares(title, service) => shares(title, service, bed, requests),
            Self::Sticks(title, service) => sticks(title, service, bed, requests),
            Self::Survives(title, service) => survives(title, service, bed, requests),
            Self::Unattended(title, service) => unattended(title, service, bed, requests),
        }
    }
}

/// Requests from many client addresses and ports are shared by weight, and every packet is counted.
fn shares(title: &str, service: DemoService, bed: &Bed, requests: u32) -> Result<Scene> {
    let before = Packets::read(bed)?;
    let results = load(service, requests)?.run(&bed.lab.client.ns)?;
    let packets = settled_packets(bed, service.forward, &before)?;

    let mut scene = tally(title, service, results);
    scene.check_shares();
    scene.problems.extend(packets.problems(service.forward));
    scene.packets = Some(packets);
    Ok(scene)
}

/// Each client address, from many ports, meets one backend only, and not all meet the same.
fn sticks(title: &str, service: DemoService, bed: &Bed, requests: u32) -> Result<Scene> {
    let results = load(service, requests)?.run(&bed.lab.client.ns)?;
    let mut met: BTreeMap<IpAddr, String> = BTreeMap::new();
    let mut strays = 0;
    for answer in results.iter().flatten() {
        let client = answer.peer.context("a server does not say who asked")?.ip();
        let first = met.entry(client).or_insert_with(|| answer.backend.clone());
        strays += u32::from(*first != answer.backend);
    }
    let mut scene = tally(title, service, results);
    if strays > 0 {
        scene.problems.push(format!("{strays} requests went to another backend than their client's first"));
    }
    if scene.backends.iter().any(|backend| backend.requests == 0) {
        scene.problems.push("some backend got no client at all".to_owned());
    }
    Ok(scene)
}

/// Connections are held open, the weights are turned upside down, and each is answered by the backend it began with, while
/// new ones follow the new weights.
fn survives(title: &str, service: DemoService, bed: &mut Bed, requests: u32) -> Result<Scene> {
    let clients = service.clients();
    let mut held = Vec::new();
    for client in clients.iter().cycle().take(HELD) {
        let mut connection =
            HttpConnection::open(&bed.lab.client.ns, Some(*client), service.address(), TIMEOUT)?;
        let backend = connection.get("/", TIMEOUT)?.backend;
        held.push((connection, backend));
    }
    let changed = service.with_weights([10, 0, 30]);
    bed.reconfigure(changed)?;
    let results = load(changed, requests)?.run(&bed.lab.client.ns)?;
    let mut scene = tally(title, changed, results);
    scene.check_shares();
    for (connection, backend) in &mut held {
        scene.requests += 1;
        match connection.get("/", TIMEOUT) {
            Ok(answer) if answer.backend == *backend => {}
            Ok(answer) => {
                scene.problems.push(format!("a connection moved from {backend} to {}", answer.backend));
            }
            Err(error) => {
                scene.failed += 1;
                scene.problems.push(format!("a connection to {backend} ended: {error}"));
            }
        }
    }
    bed.reconfigure(service)?;
    Ok(scene)
}

/// Requests are answered while no daemon runs.
fn unattended(title: &str, service: DemoService, bed: &mut Bed, requests: u32) -> Result<Scene> {
    bed.stop_daemon()?;
    let results = load(service, requests)?.run(&bed.lab.client.ns)?;
    Ok(tally(title, service, results))
}

/// Requests to a service, in turn from each client address.
fn load(service: DemoService, requests: u32) -> Result<Load> {
    Ok(Load {
        to: service.address(),
        sources: service.clients(),
        requests: usize::try_from(requests)?,
        concurrency: CONCURRENCY,
        timeout: TIMEOUT,
    })
}

/// Who answered how often.
fn tally(title: &str, service: DemoService, results: Vec<Result<Answer, lightpath_lab::Error>>) -> Scene {
    let requests = results.len();
    let mut answered: BTreeMap<String, u32> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut failed = 0;
    for result in results {
        match result {
            Ok(answer) => *answered.entry(answer.backend).or_default() += 1,
            Err(error) => {
                failed += 1;
                if failed == 1 {
                    problems.push(error.to_string());
                }
            }
        }
    }
    let backends = (1..).zip(service.expected_shares()).zip(service.weights).map(
        |((number, expected_share), weight)| {
            let name = format!("backend{number}");
            let requests_answered = answered.get(&name).copied().unwrap_or(0);
            let share = f64::from(requests_answered) / f64::from(u32::try_from(requests).unwrap_or(u32::MAX));
            BackendShare { name, weight, expected_share, requests: requests_answered, share }
        },
    );
    Scene {
        title: title.to_owned(),
        service: service.name.to_owned(),
        forward: service.forward.to_owned(),
        requests,
        failed,
        backends: backends.collect(),
        packets: None,
        problems,
    }
}

/// What was sent and counted since `before`, once the connections have closed.
fn settled_packets(bed: &Bed, forward: &str, before: &Packets) -> Result<Packets> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let packets = Packets::read(bed)?.since(before);
        if packets.problems(forward).is_empty() || Instant::now() > deadline {
            return Ok(packets);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
