//! The backends as the daemon goes on from them: whose next hops are awaited, and what is said of those that take no flows.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lightpath_control::hops::Hop;
use lightpath_control::model::{Config, WhenEmpty};
use lightpath_control::reconcile::{Condition, Hops, Reconciler};
use tokio::sync::watch;
use tokio::time;
use tracing::warn;

/// How long the start waits for next hops. Backends that have not answered by then join later.
const FIRST_HOPS: Duration = Duration::from_secs(2);
/// How long the start, and a change, waits for the first checks of backends. Outcomes that come later are followed then.
pub(super) const FIRST_CHECKS: Duration = Duration::from_secs(2);

/// Every address that a next hop is needed to.
pub(super) fn addresses_of(config: &Config) -> BTreeSet<IpAddr> {
    config.services.iter().flat_map(|service| &service.backends).map(|backend| backend.address).collect()
}

/// Waits until every backend's next hop is known, within limits.
pub(super) async fn wait_for_hops(hops: &mut watch::Receiver<Arc<Hops>>, addresses: &BTreeSet<IpAddr>) {
    let resolved = |hops: &Arc<Hops>| {
        addresses.iter().all(|address| matches!(hops.get(address), Some(Hop::Resolved(_))))
    };
    // Neither the end of the wait nor that of the watcher is a failure here: backends may join later.
    let _ = time::timeout(FIRST_HOPS, hops.wait_for(resolved)).await;
}

/// Which backends take flows, and to which packets cannot be sent, in the order of the configuration.
pub(super) fn conditions(reconciler: &Reconciler) -> Vec<(bool, Option<Condition>)> {
    let states = reconciler.states().iter().flat_map(|state| &state.backends);
    let of = |condition: &Condition| {
        let unresolved = matches!(condition, Condition::Unresolved(_)).then(|| condition.clone());
        (condition.takes_flows(), unresolved)
    };
    states.map(|backend| of(&backend.condition)).collect()
}

/// Says which backends take no flows because packets cannot be sent to them, and which services have none left.
pub(super) fn log_unresolved(reconciler: &Reconciler) {
    for (service, state) in reconciler.config().services.iter().zip(reconciler.states()) {
        for (backend, state) in service.backends.iter().zip(&state.backends) {
            if let Condition::Unresolved(reason) = &state.condition {
                let cause = reason.as_ref().map_or_else(|| "no next hop yet".to_owned(), ToString::to_string);
                warn!(service = service.name, backend = %backend.address, cause, "the backend takes no flows");
            }
        }
        if state.backends.iter().all(|backend| !backend.condition.takes_flows()) {
            let what = match service.when_empty {
                WhenEmpty::Reject => "refused",
                WhenEmpty::Drop => "dropped",
            };
            warn!(service = service.name, "no backend takes flows; packets are {what}");
        }
    }
}
