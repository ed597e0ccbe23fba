//! What was counted, in one form for the kernel and the host.

use std::collections::BTreeMap;

use lightpath_abi::{BackendCounters, BackendNumber, ServiceIndex};
use lightpath_core::host::HostTables;
use lightpath_core::{Reason, ReplyKind};
use lightpath_dataplane::Dataplane;

/// Every counter that is not 0, by a name that says what it counts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tally(BTreeMap<String, u64>);

impl Tally {
    pub(crate) fn of_kernel(dataplane: &Dataplane) -> Self {
        let counters = dataplane.counters().unwrap();
        Self::new(
            &counters.backends,
            &counters.new_flows,
            &counters.services,
            &counters.reasons,
            &counters.replies,
        )
    }

    pub(crate) fn of_host(tables: &HostTables) -> Self {
        let counted = tables.counted();
        Self::new(
            &counted.backends,
            &counted.new_flows,
            &counted.services,
            &counted.reasons,
            &counted.replies,
        )
    }

    /// What was counted since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let earlier = |name: &str| before.0.get(name).copied().unwrap_or(0);
        let counts = self.0.iter().map(|(name, count)| (name.clone(), count - earlier(name)));
        Self(counts.filter(|(_, count)| *count > 0).collect())
    }

    fn new(
        backends: &BTreeMap<BackendNumber, BackendCounters>,
        new_flows: &BTreeMap<BackendNumber, u64>,
        services: &BTreeMap<ServiceIndex, u64>,
        reasons: &[u64; Reason::ALL.len()],
        replies: &[u64; ReplyKind::NAMES.len()],
    ) -> Self {
        let mut counts = BTreeMap::new();
        for (number, counters) in backends {
            for (what, count) in [
                ("packets", counters.packets),
                ("bytes", counters.bytes),
                ("reply packets", counters.reply_packets),
                ("reply bytes", counters.reply_bytes),
            ] {
                counts.insert(format!("backend {number} {what}"), count);
            }
        }
        counts
            .extend(new_flows.iter().map(|(number, count)| (format!("backend {number} new flows"), *count)));
        counts.extend(services.iter().map(|(index, count)| (format!("service {index} dropped"), *count)));
        counts.extend(Reason::ALL.iter().zip(reasons).map(|(reason, count)| (reason.name().into(), *count)));
        let replies = ReplyKind::NAMES.iter().zip(replies);
        counts.extend(replies.map(|(kind, count)| (format!("replied {kind}"), *count)));
        counts.retain(|_, count| *count > 0);
        Self(counts)
    }
}
