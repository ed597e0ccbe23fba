//! What is known of the backends' health.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::cause::Cause;
use super::latency::{LastCheck, Latency, LatencyFigures};
use super::targets::Server;

/// The standing of every backend that is checked, at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Those of a service are shared from view to view until one of them changes.
    pub(super) services: BTreeMap<Arc<str>, Arc<BTreeMap<Server, Standing>>>,
    /// How long the checks of each service that is checked take.
    pub(super) latencies: BTreeMap<Arc<str>, Arc<Latency>>,
    /// How many backends no check has decided on.
    pub(super) undecided: usize,
    /// Which set of targets is checked.
    pub(super) round: u64,
}

impl View {
    /// What is known when one service is checked.
    #[cfg(test)]
    pub(crate) fn of_service(name: &str, standings: BTreeMap<Server, Standing>) -> Self {
        Self { services: BTreeMap::from([(name.into(), Arc::new(standings))]), ..Self::default() }
    }

    /// What is known of a backend; `None` when it is not checked.
    #[must_use]
    pub fn standing(&self, service: &str, server: Server) -> Option<&Standing> {
        self.services.get(service)?.get(&server)
    }

    /// How long the checks of each service took, for those that are checked.
    pub fn latencies(&self) -> impl Iterator<Item = (&str, LatencyFigures)> {
        self.latencies.iter().map(|(service, latency)| (&**service, latency.figures()))
    }
}

/// Whether a backend is healthy, as far as checks say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is up.
    pub position: Position,
    /// Since when; `None` when it has been up from the beginning.
    pub since: Option<SystemTime>,
    /// How often it went down, by [`Cause::name`].
    pub downs: Arc<BTreeMap<&'static str, u64>>,
    /// How long its last check took.
    pub last: LastCheck,
}

/// Whether a backend is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// It is, and has this many of [`FULL`](super::FULL) parts of its weight.
    Up {
        /// Parts of its weight.
        parts: u8,
    },
    /// It is not.
    Down(Cause),
}
