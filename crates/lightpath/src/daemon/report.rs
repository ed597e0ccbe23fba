//! What the daemon says of itself, put together from its configuration, its state and what was counted.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lightpath_abi::BackendNumber;
use lightpath_control::health::{FULL, View};
use lightpath_control::model::{Backend, Service};
use lightpath_control::reconcile::{BackendState, Condition, Reconciler, ServiceState};
use lightpath_core::{Reason, ReplyKind};
use lightpath_dataplane::{Counters, CpuCounters, Dataplane, Error, FLOW_TABLE_BYTES, Mode, Motion};

use super::interfaces::Interfaces;
use crate::instance::Instance;
use crate::status::{
    BackendStatus, CpuStatus, FlowStatus, InterfaceStatus, Port, ProgramStatus, ServiceStatus, Status,
};

/// Counters at two moments: what happened in between, per second.
#[derive(Debug)]
pub(super) struct Rates {
    earlier: (Instant, Counters),
    later: (Instant, Counters),
}

impl Rates {
    pub(super) fn new(counters: Counters) -> Self {
        let now = Instant::now();
        Self { earlier: (now, counters.clone()), later: (now, counters) }
    }

    /// Takes the counters of this moment.
    pub(super) fn sample(&mut self, counters: Counters) {
        self.earlier = std::mem::replace(&mut self.later, (Instant::now(), counters));
    }

    fn packets_per_second(&self, number: u16) -> f64 {
        self.per_second(|counters| counters.backends.get(&number).map_or(0, |counters| counters.packets))
    }

    /// What a count came to per second.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn per_second(&self, count: impl Fn(&Counters) -> u64) -> f64 {
        let seconds = self.later.0.duration_since(self.earlier.0).as_secs_f64();
        let counted = count(&self.later.1).saturating_sub(count(&self.earlier.1));
        if seconds > 0.0 { counted as f64 / seconds } else { 0.0 }
    }
}

/// What is known of all services.
pub(super) struct Seen<'a> {
    pub(super) reconciler: &'a Reconciler,
    pub(super) health: &'a View,
    pub(super) counters: &'a Counters,
    pub(super) rates: &'a Rates,
    pub(super) motion: &'a Motion,
    /// Flows of `fullnat`, by backend.
    pub(super) sessions: &'a BTreeMap<BackendNumber, usize>,
}

/// The status at this moment.
pub(super) fn status(
    instance: &Instance,
    interfaces: &Interfaces,
    dataplane: &Dataplane,
    seen: &Seen<'_>,
) -> Result<Status, Error> {
    let Seen { reconciler, counters, motion, sessions, .. } = *seen;
    let figures = dataplane.info()?;
    let services = reconciler.config().services.iter().zip(reconciler.states());
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: instance.name.clone(),
        time: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
        interfaces: interfaces
            .modes()
            .map(|(name, mode)| InterfaceStatus {
                name: name.to_owned(),
                mode: match mode {
                    Some(Mode::Native) => "native",
                    Some(Mode::Generic) => "generic",
                    None => "missing",
                }
                .to_owned(),
            })
            .collect(),
        program: ProgramStatus {
            id: figures.id,
            features: dataplane.spec().features.names().map(str::to_owned).collect(),
            jited_bytes: figures.jited_bytes,
        },
        flows: FlowStatus {
            moving_slots: motion.moving_slots,
            remembered: motion.flows,
            table_bytes: FLOW_TABLE_BYTES,
            sessions: sessions.values().sum(),
            session_bytes: dataplane.session_bytes(),
        },
        cpus: cpus(counters, seen.rates),
        drops: Reason::ALL
            .into_iter()
            .map(|reason| (reason.name().to_owned(), counters.dropped(reason)))
            .filter(|(_, count)| *count > 0)
            .collect(),
        drops_per_second: Reason::ALL
            .into_iter()
            .filter(|reason| counters.dropped(*reason) > 0)
            .map(|reason| {
                (reason.name().to_owned(), seen.rates.per_second(|counters| counters.dropped(reason)))
            })
            .collect(),
        drop_examples: BTreeMap::new(),
        replies: ReplyKind::NAMES.into_iter().map(str::to_owned).zip(counters.replies).collect(),
        overrides: Vec::new(),
        file_changed: false,
        services: services.map(|(service, state)| service_status(service, state, seen)).collect(),
    })
}

fn cpus(counters: &Counters, rates: &Rates) -> Vec<CpuStatus> {
    let all = |counters: &Counters, cpu: usize| {
        counters.cpus.get(cpu).map_or(0, |counted| counted.forwarded + counted.dropped)
    };
    let of = |(cpu, counted): (usize, &CpuCounters)| CpuStatus {
        forwarded: counted.forwarded,
        dropped: counted.dropped,
        packets_per_second: rates.per_second(|counters| all(counters, cpu)),
        given: counters.spread.get(cpu).map(|spread| spread.given),
        taken: counters.spread.get(cpu).map(|spread| spread.taken),
    };
    counters.cpus.iter().enumerate().map(of).collect()
}

fn service_status(service: &Service, state: &ServiceState, seen: &Seen<'_>) -> ServiceStatus {
    let Seen { reconciler, health, counters, rates, motion, sessions } = *seen;
    let backends: Vec<BackendStatus> = service
        .backends
        .iter()
        .zip(&state.backends)
        .map(|(backend, state)| {
            let leaving = reconciler.is_leaving(service, backend);
            let flows = [&motion.flows_of, sessions].map(|of| of.get(&state.number).copied().unwrap_or(0));
            let standing = health.standing(&service.name, (backend.address, backend.port));
            let downs = standing.map(|standing| standing.downs.iter()).into_iter().flatten();
            BackendStatus {
                flows: flows.into_iter().sum(),
                check_seconds: standing
                    .and_then(|standing| standing.last.took())
                    .map(|took| took.as_secs_f64()),
                downs: downs.map(|(cause, count)| ((*cause).to_owned(), *count)).collect(),
                ..backend_status(service, backend, state, leaving, counters, rates)
            }
        })
        .collect();
    ServiceStatus {
        name: service.name.clone(),
        vip: service.vip,
        port: service.ports.single().map_or_else(|| Port::Several(service.ports.to_string()), Port::One),
        protocol: service.protocol.to_string(),
        forward: service.forward.to_string(),
        packets: backends.iter().map(|backend| backend.packets).sum(),
        bytes: backends.iter().map(|backend| backend.bytes).sum(),
        reply_packets: backends.iter().map(|backend| backend.reply_packets).sum(),
        reply_bytes: backends.iter().map(|backend| backend.reply_bytes).sum(),
        new_flows: backends.iter().map(|backend| backend.new_flows).sum(),
        dropped: counters.services.get(&state.index).copied().unwrap_or(0),
        // Of no backends the sum is -0.
        packets_per_second: backends.iter().map(|backend| backend.packets_per_second).sum::<f64>() + 0.0,
        slots: service.slots,
        backends,
    }
}

fn backend_status(
    service: &Service,
    backend: &Backend,
    state: &BackendState,
    leaving: bool,
    counters: &Counters,
    rates: &Rates,
) -> BackendStatus {
    let counted = counters.backends.get(&state.number).copied().unwrap_or_default();
    let (name, cause) = match &state.condition {
        Condition::Up => ("up", None),
        Condition::Starting(parts) => {
            ("up", Some(format!("it starts slowly, with {parts}/{FULL} of its weight so far")))
        }
        Condition::Draining if leaving => {
            ("draining", Some("it is not configured any more; its flows may end".to_owned()))
        }
        Condition::Draining => ("draining", Some("its weight is 0".to_owned())),
        Condition::Unresolved(None) => ("unresolved", Some("its next hop is being looked up".to_owned())),
        Condition::Unresolved(Some(reason)) => ("unresolved", Some(reason.to_string())),
        Condition::Down(outage) => ("down", Some(outage.cause.to_string())),
        Condition::Panicking(outage) => {
            ("panic", Some(format!("used all the same, because too few backends are up: {}", outage.cause)))
        }
    };
    BackendStatus {
        address: backend.address,
        port: backend.port,
        weight: backend.weight,
        state: name.to_owned(),
        cause,
        since: since(&state.condition),
        share: f64::from(state.slots) / f64::from(service.slots),
        downs: BTreeMap::new(),
        check_seconds: None,
        flows: 0,
        packets: counted.packets,
        bytes: counted.bytes,
        reply_packets: counted.reply_packets,
        reply_bytes: counted.reply_bytes,
        new_flows: counters.new_flows.get(&state.number).copied().unwrap_or(0),
        packets_per_second: rates.packets_per_second(state.number),
    }
}

/// Since when a backend is down, in seconds since 1970.
fn since(condition: &Condition) -> Option<u64> {
    let (Condition::Down(outage) | Condition::Panicking(outage)) = condition else { return None };
    outage.since?.duration_since(UNIX_EPOCH).ok().map(|time| time.as_secs())
}
