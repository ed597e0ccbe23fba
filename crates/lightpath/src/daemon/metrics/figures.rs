//! Everything that metrics are made of, at one moment.

use std::collections::BTreeMap;
use std::net::IpAddr;

use lightpath_control::health::LatencyFigures;
use lightpath_control::hops::Hop;
use lightpath_dataplane::CpuCounters;

use super::process::Usage;
use crate::daemon::Daemon;
use crate::daemon::answers::unreadable;
use crate::daemon::backends::addresses_of;
use crate::daemon::server::Tally;
use crate::event::Kind;
use crate::problem::Problem;
use crate::status::Status;

/// The figures of one moment.
#[derive(Debug)]
pub(crate) struct Figures {
    /// What `lightpath status` shows.
    pub(super) status: Status,
    /// What each CPU did.
    pub(super) cpus: Vec<CpuCounters>,
    /// Addresses of backends that no next hop is known to.
    pub(super) unresolved: usize,
    /// How long the checks of each service take.
    pub(super) latencies: Vec<(String, LatencyFigures)>,
    /// Events that were told, by kind.
    pub(super) events: BTreeMap<Kind, u64>,
    /// Backends that are being drained.
    pub(super) drains: usize,
    /// Requests that the API has answered.
    pub(super) requests: Tally,
    /// What the daemon takes.
    pub(super) usage: Usage,
}

impl Daemon {
    /// The figures of this moment.
    pub(in crate::daemon) fn figures(&mut self) -> Result<Figures, Problem> {
        let counters = self.kernel.0.counters().map_err(|error| unreadable(&error))?;
        let hops = self.hops.borrow();
        let addresses = addresses_of(self.reconciler.config());
        let is_unresolved = |address: &&IpAddr| !matches!(hops.get(*address), Some(Hop::Resolved(_)));
        let health = self.checks.peek();
        let latencies = health.latencies();
        Ok(Figures {
            status: self.status_with(&counters)?,
            cpus: self.cpus.take(&counters.cpus),
            unresolved: addresses.iter().filter(is_unresolved).count(),
            latencies: latencies.map(|(service, latency)| (service.to_owned(), latency)).collect(),
            events: self.events.tally(),
            drains: self.observer.drains(),
            requests: self.requests.tally(),
            usage: Usage::now(self.started),
        })
    }
}

/// What each CPU has counted, in all.
///
/// The tables count by backend, and forget a backend that is gone; a counter that Prometheus reads must not shrink, or it takes
/// all of it for new.
#[derive(Debug, Default)]
pub(in crate::daemon) struct CpuTotals {
    /// What was last seen in the tables, of each CPU.
    seen: Vec<CpuCounters>,
    /// What was seen there before, and is there no more.
    gone: Vec<CpuCounters>,
}

impl CpuTotals {
    /// Takes what the tables hold now; the totals.
    pub(in crate::daemon) fn take(&mut self, now: &[CpuCounters]) -> Vec<CpuCounters> {
        self.seen.resize(now.len(), CpuCounters::default());
        self.gone.resize(now.len(), CpuCounters::default());
        let cpus = now.iter().zip(&mut self.seen).zip(&mut self.gone);
        cpus.map(|((now, seen), gone)| {
            gone.forwarded += seen.forwarded.saturating_sub(now.forwarded);
            gone.dropped += seen.dropped.saturating_sub(now.dropped);
            *seen = *now;
            CpuCounters { forwarded: gone.forwarded + now.forwarded, dropped: gone.dropped + now.dropped }
        })
        .collect()
    }
}
