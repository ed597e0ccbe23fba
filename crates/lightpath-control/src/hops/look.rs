//! One look at next hops, which leaves no neighbour in the kernel's keeping.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::view::View;
use super::{Error, Hop, Reason};
use crate::netlink;

/// How often the kernel is asked whether a neighbour has answered.
const AGAIN: Duration = Duration::from_millis(50);

/// The next hop of each target as it is now. Neighbours that are not known yet are asked for, and have as long as `patience` to
/// answer.
///
/// Works in the network namespace of the calling thread and on the current tokio runtime.
pub async fn look(targets: &BTreeSet<IpAddr>, patience: Duration) -> Result<BTreeMap<IpAddr, Hop>, Error> {
    let handle = netlink::connect()?;
    let deadline = Instant::now() + patience;
    let mut view = View::default();
    loop {
        view.reload(&handle, targets.clone()).await?;
        let hops = view.hops();
        let may_answer = |hop: &Hop| matches!(hop, Hop::Unresolved(Reason::NoAnswer { .. }));
        if Instant::now() >= deadline || !hops.values().any(may_answer) {
            return Ok(hops);
        }
        view.ask_once(&handle).await;
        sleep(AGAIN).await;
    }
}
