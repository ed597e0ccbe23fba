//! What the daemon says of itself: the shape of `GET /v1/status` and `status --json`, whose names are stable, and its text.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Everything `lightpath status` shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Status {
    /// Version of the daemon.
    pub(crate) version: String,
    /// The instance.
    pub(crate) instance: String,
    /// Where the data plane is attached.
    pub(crate) interfaces: Vec<InterfaceStatus>,
    /// The running program.
    pub(crate) program: ProgramStatus,
    /// Flows remembered while slots move.
    pub(crate) flows: FlowStatus,
    /// Packets dropped since the maps were made, by reason; reasons that did not occur are left out.
    pub(crate) drops: BTreeMap<String, u64>,
    /// The same per second, lately.
    #[serde(default)]
    pub(crate) drops_per_second: BTreeMap<String, f64>,
    /// Packets answered by the data plane since the maps were made, by kind of answer. Those that answer a packet which
    /// could not go on are among the drops too.
    pub(crate) replies: BTreeMap<String, u64>,
    /// What was changed at run time and differs from the configuration file, a line each.
    #[serde(default)]
    pub(crate) overrides: Vec<String>,
    /// Whether the configuration file is not what was last read of it.
    #[serde(default)]
    pub(crate) file_changed: bool,
    /// The services, in the order of the configuration.
    pub(crate) services: Vec<ServiceStatus>,
}

/// An interface of the node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct InterfaceStatus {
    /// Its name.
    pub(crate) name: String,
    /// `native`, `generic`, or `missing` when the interface is gone.
    pub(crate) mode: String,
}

/// The XDP program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProgramStatus {
    /// Its id in the kernel.
    pub(crate) id: u32,
    /// What it was specialised for.
    pub(crate) features: Vec<String>,
    /// Bytes of its machine code.
    pub(crate) jited_bytes: u32,
}

/// What is remembered of flows. Beside those of `fullnat`, none is while no slot moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct FlowStatus {
    /// Slots whose backend was changed while flows of an earlier one may live on.
    pub(crate) moving_slots: usize,
    /// Flows remembered because of them.
    pub(crate) remembered: usize,
    /// Bytes of the flow tables, whatever is in them.
    pub(crate) table_bytes: usize,
    /// Flows of `fullnat` that live, whether slots move or not.
    pub(crate) sessions: usize,
    /// Bytes of the table that they are in.
    pub(crate) session_bytes: usize,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ServiceStatus {
    /// Its name.
    pub(crate) name: String,
    /// Its address.
    #[schema(value_type = String)]
    pub(crate) vip: IpAddr,
    /// A number, or a text such as `"8000-8999"` and `"any"`.
    pub(crate) port: Port,
    /// `tcp`, `udp` or `quic`.
    pub(crate) protocol: String,
    /// `nat`, `dsr`, `ipip` or `gue`.
    pub(crate) forward: String,
    /// Packets forwarded to its backends.
    pub(crate) packets: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Packets of its backends forwarded to clients.
    pub(crate) reply_packets: u64,
    /// Their bytes.
    pub(crate) reply_bytes: u64,
    /// Packets to it that were dropped.
    pub(crate) dropped: u64,
    /// Packets forwarded to its backends, per second, lately.
    pub(crate) packets_per_second: f64,
    /// Its slots.
    pub(crate) slots: u32,
    /// Its backends, in the order of the configuration.
    pub(crate) backends: Vec<BackendStatus>,
}

/// The states that a backend can be in, from the best to the worst.
pub(crate) const STATES: [&str; 5] = ["up", "draining", "panic", "unresolved", "down"];

/// A backend of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct BackendStatus {
    /// Its address.
    #[schema(value_type = String)]
    pub(crate) address: IpAddr,
    /// Its port; null where the client's is kept.
    pub(crate) port: Option<u16>,
    /// Its weight.
    pub(crate) weight: u16,
    /// `up`, `draining`, `unresolved`, `down`, or `panic` when it is down and used all the same.
    pub(crate) state: String,
    /// Why it is not up, or not with all of its weight.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) cause: Option<String>,
    /// Since when it is down, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) since: Option<u64>,
    /// How often its checks took it down since the daemon started, by cause: `refused`, `timed-out`, `status` and others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) downs: BTreeMap<String, u64>,
    /// How long its last check took, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) check_seconds: Option<f64>,
    /// Its part of the service's slots, 0 to 1.
    pub(crate) share: f64,
    /// Flows that are remembered to stay with it: with `fullnat` all, otherwise some while slots move.
    pub(crate) flows: usize,
    /// Packets forwarded to it.
    pub(crate) packets: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Packets of its replies forwarded to clients.
    pub(crate) reply_packets: u64,
    /// Their bytes.
    pub(crate) reply_bytes: u64,
    /// Packets forwarded to it, per second, lately.
    pub(crate) packets_per_second: f64,
}

impl BackendStatus {
    /// Its state, for how long it is down, and why.
    fn standing(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let time = self.since.map(|since| format!(" for {}", span(now.saturating_sub(since))));
        let cause = self.cause.as_ref().map(|cause| format!(": {cause}"));
        format!("{}{}{}", self.state, time.unwrap_or_default(), cause.unwrap_or_default())
    }
}

/// Seconds, in the largest two units that say enough.
fn span(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// The ports of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Port {
    /// One.
    One(u16),
    /// A range, or every port.
    Several(String),
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(port) => port.fmt(f),
            Self::Several(ports) => ports.fmt(f),
        }
    }
}

impl Status {
    /// How much there is, and in which state.
    pub(crate) fn summary(&self) -> String {
        let backends = || self.services.iter().flat_map(|service| &service.backends);
        let in_state = |state: &&str| backends().filter(|backend| backend.state == **state).count();
        let states = STATES.iter().map(|state| (in_state(state), state)).filter(|(count, _)| *count > 0);
        let states: Vec<String> = states.map(|(count, state)| format!("{count} {state}")).collect();
        let amount =
            |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let all = [amount(self.services.len(), "service"), amount(backends().count(), "backend")].join(", ");
        if states.is_empty() { all } else { format!("{all}: {}", states.join(", ")) }
    }

    /// The text of a part of the services, with the summary of all of them; without what is the node's.
    pub(crate) fn part_of(&self, all: &str) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            self.head(f, all)?;
            writeln!(f, "shown: {}", self.summary())?;
            self.services.iter().try_for_each(|service| write!(f, "\n{service}"))
        })
    }

    fn head(&self, f: &mut fmt::Formatter<'_>, summary: &str) -> fmt::Result {
        let interfaces: Vec<String> = self
            .interfaces
            .iter()
            .map(|interface| format!("{} ({})", interface.name, interface.mode))
            .collect();
        writeln!(f, "lightpath {}, instance {}, on {}", self.version, self.instance, interfaces.join(", "))?;
        writeln!(f, "{summary}")
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f, &self.summary())?;
        if self.flows.moving_slots > 0 {
            let FlowStatus { moving_slots, remembered, .. } = self.flows;
            writeln!(f, "{moving_slots} slots are moving, {remembered} flows are remembered for them")?;
        }
        if self.program.features.iter().any(|feature| feature == "fullnat") {
            let megabytes = self.flows.session_bytes.div_ceil(1_000_000);
            writeln!(f, "{} flows of fullnat, in a table of {megabytes} MB", self.flows.sessions)?;
        }
        for service in &self.services {
            write!(f, "\n{service}")?;
        }
        if self.file_changed {
            writeln!(
                f,
                "\nThe configuration file has changed since it was read: `lightpath reload` applies it."
            )?;
        }
        if !self.overrides.is_empty() {
            writeln!(f, "\nChanged at run time (`lightpath reload --discard` returns to the file):")?;
            self.overrides.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        if self.drops.is_empty() {
            writeln!(f, "\nNothing dropped.")?;
        } else {
            writeln!(f, "\nDropped:")?;
            list(f, self.drops.iter())?;
        }
        if self.replies.values().any(|count| *count > 0) {
            writeln!(f, "\nAnswered:")?;
            list(f, self.replies.iter().filter(|(_, count)| **count > 0))?;
        }
        Ok(())
    }
}

fn list<'a>(
    f: &mut fmt::Formatter<'_>,
    mut counts: impl Iterator<Item = (&'a String, &'a u64)>,
) -> fmt::Result {
    counts.try_for_each(|(name, count)| writeln!(f, "  {count:>12}  {name}"))
}

impl fmt::Display for ServiceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vip = match self.vip {
            IpAddr::V4(vip) => vip.to_string(),
            IpAddr::V6(vip) => format!("[{vip}]"),
        };
        writeln!(
            f,
            "{}  {vip}:{}/{}  {}  {:.0} packets/s, {} dropped",
            self.name, self.port, self.protocol, self.forward, self.packets_per_second, self.dropped
        )?;
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["  backend", "port", "weight", "share", "packets", "bytes", "packets/s", "state"]);
        for backend in &self.backends {
            let state = backend.standing();
            table.add_row([
                format!("  {}", backend.address),
                backend.port.map_or_else(|| "kept".to_owned(), |port| port.to_string()),
                backend.weight.to_string(),
                format!("{:.1} %", backend.share * 100.0),
                backend.packets.to_string(),
                backend.bytes.to_string(),
                format!("{:.0}", backend.packets_per_second),
                state,
            ]);
        }
        for column in 1..=6 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for line in table.lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
