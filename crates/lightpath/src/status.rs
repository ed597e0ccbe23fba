//! What the daemon says of itself: the shape of `GET /v1/status` and `status --json`, whose names are stable.

mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use lightpath_control::transitions::endpoint;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::drops::Example;

/// Everything `lightpath status` shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Status {
    /// Version of the daemon.
    pub(crate) version: String,
    /// The instance.
    pub(crate) instance: String,
    /// When this was so, in seconds since 1970.
    #[serde(default)]
    pub(crate) time: f64,
    /// Where the data plane is attached.
    pub(crate) interfaces: Vec<InterfaceStatus>,
    /// The running program.
    pub(crate) program: ProgramStatus,
    /// Flows remembered while slots move.
    pub(crate) flows: FlowStatus,
    /// What each possible CPU does, in the order of their numbers.
    #[serde(default)]
    pub(crate) cpus: Vec<CpuStatus>,
    /// Packets dropped since the maps were made, by reason; reasons that did not occur are left out.
    pub(crate) drops: BTreeMap<String, u64>,
    /// The same per second, lately.
    #[serde(default)]
    pub(crate) drops_per_second: BTreeMap<String, f64>,
    /// By reason, the latest packet that was dropped for it while somebody looked for examples.
    #[serde(default)]
    pub(crate) drop_examples: BTreeMap<String, Example>,
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

/// A CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct CpuStatus {
    /// Packets to and from the backends that are in the tables.
    pub(crate) forwarded: u64,
    /// Packets dropped, whatever the reason.
    pub(crate) dropped: u64,
    /// Packets forwarded or dropped, per second, lately.
    pub(crate) packets_per_second: f64,
    /// Packets that were given to it by the CPUs that received them; none where packets were never spread.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) given: Option<u64>,
    /// Those of them that it has taken. The others wait, or were dropped because too many did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) taken: Option<u64>,
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
    /// Flows opened to its backends, as far as packets show it: TCP connections.
    #[serde(default)]
    pub(crate) new_flows: u64,
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
    /// Flows opened to it, as far as packets show it: TCP connections.
    #[serde(default)]
    pub(crate) new_flows: u64,
    /// Packets forwarded to it, per second, lately.
    pub(crate) packets_per_second: f64,
}

impl BackendStatus {
    /// As commands and labels name it: without a port where the client's is kept.
    pub(crate) fn endpoint(&self) -> String {
        endpoint((self.address, self.port)).to_string()
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
