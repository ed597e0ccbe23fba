//! The loop: follow the kernel, and say where each target's packets go next.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rtnetlink::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::events::{Events, RECEIVE_BUFFER};
use super::kernel::{self, Error};
use super::neighbours::Neighbours;
use super::view::{Stale, View};
use super::{Hop, resolve};
use crate::netlink::{self, Link};

/// Changes come in bursts (one `ip link set` gives half a dozen notifications): wait for the rest of it.
const SETTLE: Duration = Duration::from_millis(5);

/// Under a storm of changes, a view that is expensive to rebuild may lag behind by this much.
const SETTLE_MOST: Duration = Duration::from_secs(1);

/// Everything is read again this often, should a notification not have been sent or not have been understood.
const SAFETY_NET: Duration = Duration::from_secs(30);

/// Has the kernel no longer keep those neighbours resolved that are next hops of a data plane which has ended, given by
/// egress interface and MAC address. How many there were. Works in the network namespace of the calling thread and on the current
/// tokio runtime.
pub async fn release(next_hops: &BTreeSet<(u32, [u8; 6])>) -> Result<usize, Error> {
    let handle = netlink::connect()?;
    let links = kernel::links(&handle).await?.into_iter().map(|link| (link.index, link)).collect();
    let neighbours = Neighbours::new(&kernel::neighbours(&handle).await?);
    let mut released = 0;
    for ((interface, address), mac) in neighbours.managed() {
        if next_hops.contains(&(egress_of(interface, &links), mac)) {
            kernel::release(&handle, interface, address).await?;
            released += 1;
        }
    }
    Ok(released)
}

/// The interface by which frames to a neighbour on `interface` leave.
fn egress_of(interface: u32, links: &BTreeMap<u32, Link>) -> u32 {
    let egress = links.get(&interface).and_then(|link| resolve::egress(link, links).ok());
    egress.map_or(interface, |(link, _)| link.index)
}

/// Follows the next hops of a set of addresses.
///
/// Neighbours are handed to the kernel to keep resolved. Those of addresses that are no longer wanted are released;
/// those wanted when the watcher ends stay, as the data plane goes on without the daemon.
#[derive(Debug)]
pub struct Watcher {
    handle: Handle,
    events: Events,
}

impl Watcher {
    /// Opens the netlink sockets, in the network namespace of the calling thread and on the current tokio runtime.
    /// Whatever thread polls [`Watcher::run`] later, it is this namespace that is watched.
    pub fn open() -> Result<Self, Error> {
        // The subscription comes first, so that nothing can change unnoticed between the first look and it.
        let events = Events::subscribe(RECEIVE_BUFFER)?;
        Ok(Self { handle: netlink::connect()?, events })
    }

    /// Keeps `hops` up to date for all of `targets`. A target missing in `hops` has not been looked up yet.
    ///
    /// Returns when the other end of `targets` or of `hops` is dropped.
    pub async fn run(
        mut self,
        mut targets: watch::Receiver<BTreeSet<IpAddr>>,
        hops: watch::Sender<Arc<BTreeMap<IpAddr, Hop>>>,
    ) -> Result<(), Error> {
        let mut view = View::default();
        let mut stale = Stale::Everything;
        let mut reload_by = Instant::now();
        loop {
            let started = Instant::now();
            if stale == Stale::Everything {
                let wanted = targets.borrow_and_update().clone();
                view.reload(&self.handle, wanted).await?;
                reload_by = Instant::now() + SAFETY_NET;
            }
            let look_again = view.keep_neighbours(&self.handle).await;
            publish(&hops, view.hops());

            // At most a fifth of the time is spent here, however fast routes change.
            let settle = (started.elapsed() * 4).clamp(SETTLE, SETTLE_MOST);
            let alarm = look_again.map_or(reload_by, |again| again.min(reload_by));
            let Some(change) = self.wait(&mut view, &mut targets, &hops, alarm, settle).await? else {
                return Ok(());
            };
            stale = if Instant::now() >= reload_by { Stale::Everything } else { change };
        }
    }

    /// Waits for the alarm or for changes, and then for them to settle; `None` when nobody cares any more.
    async fn wait(
        &mut self,
        view: &mut View,
        targets: &mut watch::Receiver<BTreeSet<IpAddr>>,
        hops: &watch::Sender<Arc<BTreeMap<IpAddr, Hop>>>,
        mut alarm: Instant,
        settle: Duration,
    ) -> Result<Option<Stale>, Error> {
        let mut stale = Stale::Nothing;
        loop {
            let before = stale;
            tokio::select! {
                events = self.events.next() => {
                    for event in events? {
                        stale = stale.max(view.take(&event));
                    }
                }
                changed = targets.changed() => {
                    if changed.is_err() {
                        return Ok(None);
                    }
                    stale = Stale::Everything;
                }
                () = hops.closed() => return Ok(None),
                () = sleep_until(alarm) => return Ok(Some(stale)),
            }
            if before == Stale::Nothing && stale != Stale::Nothing {
                alarm = alarm.min(Instant::now() + settle);
            }
        }
    }
}

fn publish(hops: &watch::Sender<Arc<BTreeMap<IpAddr, Hop>>>, new: BTreeMap<IpAddr, Hop>) {
    hops.send_if_modified(|old| {
        if **old == new {
            return false;
        }
        for (target, hop) in new.iter().filter(|(target, hop)| old.get(*target) != Some(*hop)) {
            match hop {
                Hop::Resolved(next) => tracing::debug!(%target, ?next, "next hop"),
                Hop::Unresolved(reason) => tracing::debug!(%target, %reason, "no next hop"),
            }
        }
        *old = Arc::new(new);
        true
    });
}
