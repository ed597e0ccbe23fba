//! What the data plane counted, summed over CPUs and by CPU.

use std::collections::BTreeMap;

use lightpath_abi::{BackendCounters, BackendNumber, ServiceIndex};
use lightpath_core::{Reason, ReplyKind};
use zerocopy::transmute;

use crate::maps::{BACKEND_COUNTERS, Maps, NEW_FLOWS, REASONS, REPLIES, SERVICE_COUNTERS};
use crate::{Error, Spread};

/// Everything counted since the maps were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets to and from each backend that is in the tables.
    pub backends: BTreeMap<BackendNumber, BackendCounters>,
    /// Flows opened to each of them, as far as packets show it: TCP connections.
    pub new_flows: BTreeMap<BackendNumber, u64>,
    /// Packets dropped of each service that has dropped some.
    pub services: BTreeMap<ServiceIndex, u64>,
    /// Packets dropped for each reason, in the order of [`Reason::ALL`].
    pub reasons: [u64; Reason::ALL.len()],
    /// Packets answered, by kind of answer, in the order of [`ReplyKind::NAMES`].
    pub replies: [u64; ReplyKind::NAMES.len()],
    /// What each possible CPU has counted, in the order of their numbers.
    pub cpus: Vec<CpuCounters>,
    /// What each possible CPU was given by those that received it, likewise; empty where packets were never spread over CPUs.
    pub spread: Vec<Spread>,
}

/// What one CPU counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuCounters {
    /// Packets to and from the backends that are in the tables: those of a backend that leaves are taken off again.
    pub forwarded: u64,
    /// Packets dropped, whatever the reason.
    pub dropped: u64,
}

impl Counters {
    pub(crate) fn read(maps: &Maps) -> Result<Self, Error> {
        let mut counters = Self::default();
        for (number, _) in maps.backends() {
            let mut sum = BackendCounters::default();
            let index = u32::from(number);
            let of_cpus = maps.backend_counters.get(&index, 0).map_err(Error::map(BACKEND_COUNTERS))?;
            counters.cpus.resize(of_cpus.len(), CpuCounters::default());
            for (of_cpu, cpu) in of_cpus.iter().zip(&mut counters.cpus) {
                let of_cpu: BackendCounters = transmute!(*of_cpu);
                sum.add(&of_cpu);
                cpu.forwarded += of_cpu.packets + of_cpu.reply_packets;
            }
            counters.backends.insert(number, sum);
            let opened = maps.new_flows.get(&index, 0).map_err(Error::map(NEW_FLOWS))?;
            counters.new_flows.insert(number, opened.iter().sum());
        }
        let services = u16::try_from(maps.capacity.services - 1).unwrap_or(ServiceIndex::MAX);
        for service in 0..=services {
            let of_cpus =
                maps.service_counters.get(&service.into(), 0).map_err(Error::map(SERVICE_COUNTERS))?;
            let sum = of_cpus.iter().sum();
            if sum > 0 {
                counters.services.insert(service, sum);
            }
        }
        for (index, count) in (0..).zip(&mut counters.reasons) {
            let of_cpus = maps.reasons.get(&index, 0).map_err(Error::map(REASONS))?;
            *count = of_cpus.iter().sum();
            counters.cpus.resize(of_cpus.len(), CpuCounters::default());
            for (dropped, cpu) in of_cpus.iter().zip(&mut counters.cpus) {
                cpu.dropped += dropped;
            }
        }
        for (index, count) in (0..).zip(&mut counters.replies) {
            let of_cpus = maps.replies.get(&index, 0).map_err(Error::map(REPLIES))?;
            *count = of_cpus.iter().sum();
        }
        if let Some(counts) = &maps.spread {
            counters.spread = counts.read()?;
        }
        Ok(counters)
    }

    /// Packets dropped for a reason.
    #[must_use]
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.reasons.get(reason as usize).copied().unwrap_or(0)
    }
}
