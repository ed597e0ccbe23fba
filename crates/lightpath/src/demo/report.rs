//! What the demonstration found, for people and for machines.

use std::fmt;
use std::fs;

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use lightpath_lab::topology::Host;
use serde::Serialize;

use super::bed::Bed;

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// The scenes, in order.
    pub(super) scenes: Vec<Scene>,
    /// How long all of it took.
    pub(super) seconds: f64,
}

/// One scene.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Scene {
    /// What it is about.
    pub(super) title: String,
    /// The service that was asked.
    pub(super) service: String,
    /// How its packets are forwarded.
    pub(super) forward: String,
    /// Requests made.
    pub(super) requests: usize,
    /// Requests that failed.
    pub(super) failed: u32,
    /// Who answered.
    pub(super) backends: Vec<BackendShare>,
    /// Packets sent, and packets counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) packets: Option<Packets>,
    /// What is not as claimed; empty when the claim holds.
    pub(super) problems: Vec<String>,
}

/// A backend's part of the requests.
#[derive(Clone, Debug, Serialize)]
pub(super) struct BackendShare {
    /// Its name.
    pub(super) name: String,
    /// Its weight.
    pub(super) weight: u16,
    /// Its share of the weights, 0 to 1.
    pub(super) expected_share: f64,
    /// Requests it answered.
    pub(super) requests: u32,
    /// Their share, 0 to 1.
    pub(super) share: f64,
}

/// Packets as the client's kernel counted its TCP segments, and as the data plane counted them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Packets {
    /// Segments that the client sent.
    pub(super) client_sent: u64,
    /// Packets that the data plane sent to backends.
    pub(super) to_backends: u64,
    /// Segments that the client received.
    pub(super) client_received: u64,
    /// Packets that the data plane sent to clients; but in `nat` they do not pass it.
    pub(super) to_clients: u64,
    /// Segments that the client and the backends sent again. Each stands for at most one that was lost on a link: on a busy
    /// machine the queues of virtual links overflow.
    pub(super) sent_again: u64,
}

impl Packets {
    /// The counts at this moment, of all services: of connections to another there may be packets yet that a link had lost.
    pub(super) fn read(bed: &Bed) -> Result<Self> {
        let snmp = |host: &Host| -> Result<String> {
            Ok(host.ns.run(|| fs::read_to_string("/proc/thread-self/net/snmp"))??)
        };
        let client = snmp(&bed.lab.client)?;
        let mut sent_again = tcp_counter(&client, "RetransSegs")?;
        for backend in &bed.lab.backends {
            sent_again += tcp_counter(&snmp(backend)?, "RetransSegs")?;
        }
        let services = bed.status()?.services;
        Ok(Self {
            // RFC 4022 counts segments that only repeat octets apart from the others.
            client_sent: tcp_counter(&client, "OutSegs")? + tcp_counter(&client, "RetransSegs")?,
            to_backends: services.iter().map(|service| service.packets).sum(),
            client_received: tcp_counter(&client, "InSegs")?,
            to_clients: services.iter().map(|service| service.reply_packets).sum(),
            sent_again,
        })
    }

    /// What came since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            client_sent: self.client_sent - earlier.client_sent,
            to_backends: self.to_backends - earlier.to_backends,
            client_received: self.client_received - earlier.client_received,
            to_clients: self.to_clients - earlier.to_clients,
            sent_again: self.sent_again - earlier.sent_again,
        }
    }

    /// Where the two counts differ by more than links have lost.
    pub(super) fn problems(&self, forward: &str) -> Vec<String> {
        let mut problems = Vec::new();
        // One that is sent again may be of the scene before, whose replies passed the data plane or did not.
        let arrived = |sent: u64, counted: u64| sent.abs_diff(counted) <= self.sent_again;
        if !arrived(self.client_sent, self.to_backends) {
            problems.push(format!(
                "the client sent {} packets, the data plane counted {}",
                self.client_sent, self.to_backends
            ));
        }
        if forward == "nat" && !arrived(self.to_clients, self.client_received) {
            problems.push(format!(
                "the client received {} packets, the data plane counted {}",
                self.client_received, self.to_clients
            ));
        }
        problems
    }
}

/// A counter of the kernel's TCP, from the pair of lines in /proc/net/snmp that name and give them.
fn tcp_counter(snmp: &str, name: &str) -> Result<u64> {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let found = names.split(' ').zip(values.split(' ')).find(|(found, _)| *found == name);
    let (_, value) = found.with_context(|| format!("the kernel has no TCP counter {name}"))?;
    Ok(value.parse()?)
}

/// How far a share may be from its weight.
const TOLERANCE: f64 = 0.05;
/// How far it may be with few requests, in standard deviations: flows are placed by their hash, so shares scatter like the
/// tosses of a coin.
const DEVIATIONS: f64 = 4.0;

impl Scene {
    /// Claims that the requests were shared by weight.
    pub(super) fn check_shares(&mut self) {
        for backend in &self.backends {
            let expected = backend.expected_share;
            let requests = f64::from(u32::try_from(self.requests).unwrap_or(u32::MAX));
            let scatter = DEVIATIONS * (expected * (1.0 - expected) / requests).sqrt();
            if (backend.share - expected).abs() > TOLERANCE.max(scatter) {
                self.problems.push(format!(
                    "{} got {:.1} % of the requests instead of {:.1} %",
                    backend.name,
                    backend.share * 100.0,
                    backend.expected_share * 100.0
                ));
            }
        }
    }

    fn passed(&self) -> bool {
        self.failed == 0 && self.problems.is_empty()
    }
}

impl Report {
    /// Whether every claim holds.
    pub(super) fn passed(&self) -> bool {
        self.scenes.iter().all(Scene::passed)
    }
}

impl Report {
    /// What the packet counts show, once they are as claimed.
    fn counts(&self) -> String {
        let missing: u64 = self
            .scenes
            .iter()
            .filter_map(|scene| scene.packets)
            .map(|packets| packets.client_sent - packets.to_backends)
            .sum();
        match missing {
            0 => "Every packet that the client's kernel counts was counted by the data plane.".to_owned(),
            lost => format!(
                "Every packet that the client's kernel counts was counted by the data plane, but for {lost} lost on a link before it."
            ),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["scene", "requests", "failed", "share of each backend (expected)", "packets", ""]);
        for column in [1, 2, 4] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for scene in &self.scenes {
            let shares: Vec<String> = scene
                .backends
                .iter()
                .map(|backend| {
                    format!("{:.1} % ({:.1})", backend.share * 100.0, backend.expected_share * 100.0)
                })
                .collect();
            table.add_row([
                scene.title.clone(),
                scene.requests.to_string(),
                scene.failed.to_string(),
                shares.join("  "),
                scene.packets.map(|packets| packets.to_backends.to_string()).unwrap_or_default(),
                if scene.passed() { "as claimed" } else { "NOT AS CLAIMED" }.to_owned(),
            ]);
        }
        for line in table.lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        for scene in &self.scenes {
            for problem in &scene.problems {
                writeln!(f, "{}: {problem}", scene.title)?;
            }
        }
        let requests: usize = self.scenes.iter().map(|scene| scene.requests).sum();
        let failed: u32 = self.scenes.iter().map(|scene| scene.failed).sum();
        writeln!(f, "\n{requests} requests, {failed} failed, in {:.1} s.", self.seconds)?;
        if self.passed() {
            writeln!(f, "{}", self.counts())?;
        }
        Ok(())
    }
}
