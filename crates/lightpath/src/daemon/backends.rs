//! The backends whose next hops are awaited.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lightpath_control::hops::Hop;
use lightpath_control::model::Config;
use lightpath_control::reconcile::Hops;
use tokio::sync::watch;
use tokio::time;

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
