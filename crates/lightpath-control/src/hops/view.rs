//! What is known of the kernel's routes, links and neighbours, as far as it matters for the targets.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use rtnetlink::Handle;
use tokio::time::Instant;

use super::events::Event;
use super::kernel::{self, Error, Route};
use super::neighbours::{Key, Neighbours};
use super::{Hop, Reason, resolve};
use crate::netlink::{self, Link};

/// Requests under way at a time: enough to keep the kernel busy, with answers that fit any socket buffer.
const IN_FLIGHT: usize = 32;

/// A neighbour that the kernel does not keep resolved by itself (before Linux 5.16) is asked for this often: well
/// within the time it may stay unused before it is forgotten (`gc_stale_time`, 60 s), and soon after a failure.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// How much of the view is out of date; ordered, so that several changes take the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stale {
    /// Nothing that matters.
    Nothing,
    /// The view is current, but next hops follow from it anew.
    Hops,
    /// The kernel must be asked again.
    Everything,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct View {
    links: BTreeMap<u32, Link>,
    neighbours: Neighbours,
    routes: BTreeMap<IpAddr, Result<Route, Reason>>,
    /// The interface by which a target was last reached: taking it down removes its routes and with them the cause.
    last_interface: BTreeMap<IpAddr, u32>,
    /// Neighbours the targets need.
    wanted: BTreeSet<Key>,
    /// Neighbours handed to the kernel for keeping, and when.
    asked: HashMap<Key, Instant>,
}

impl View {
    /// Reads all links and neighbours, and the route of each target.
    pub(super) async fn reload(&mut self, handle: &Handle, targets: BTreeSet<IpAddr>) -> Result<(), Error> {
        self.links = kernel::links(handle).await?.into_iter().map(|link| (link.index, link)).collect();
        self.neighbours = Neighbours::new(&kernel::neighbours(handle).await?);
        self.last_interface.retain(|target, _| targets.contains(target));
        self.routes = stream::iter(targets)
            .map(|target| async move { Ok::<_, Error>((target, kernel::route(handle, target).await?)) })
            .buffer_unordered(IN_FLIGHT)
            .try_collect()
            .await?;
        for (target, route) in &mut self.routes {
            match route {
                Ok(route) => {
                    self.last_interface.insert(*target, route.interface);
                }
                Err(reason) if *reason == Reason::NoRoute => {
                    let last = self.last_interface.get(target).and_then(|index| self.links.get(index));
                    if let Some(link) = last.filter(|link| !link.running) {
                        *reason = Reason::LinkDown { interface: link.name.clone() };
                    }
                }
                Err(_) => {}
            }
        }
        self.wanted = self
            .routes
            .iter()
            .filter_map(|(target, route)| resolve::to_resolve(*target, *route.as_ref().ok()?, &self.links))
            .collect();
        Ok(())
    }

    /// Takes in a notification, and says what follows from it.
    pub(super) fn take(&mut self, event: &Event) -> Stale {
        let changed = match event {
            Event::NeighbourChanged(message) => self.neighbours.update(message),
            Event::NeighbourRemoved(message) => {
                let gone = self.neighbours.remove(message);
                gone.inspect(|key| {
                    self.asked.remove(key);
                })
            }
            Event::Route(prefix, bits) => {
                // Addresses of a prefix follow its first one. A router sees many routes come and go.
                let mut targets = self.routes.range(*prefix..);
                let concerned =
                    targets.next().is_some_and(|(target, _)| netlink::contains(*prefix, *bits, *target));
                return if concerned { Stale::Everything } else { Stale::Nothing };
            }
            Event::Topology | Event::Lost => return Stale::Everything,
        };
        if changed.is_some_and(|key| self.wanted.contains(&key)) { Stale::Hops } else { Stale::Nothing }
    }

    /// Has the kernel resolve and keep the neighbours that are needed, and releases those no longer needed.
    /// Gives the time at which to ask again, for a kernel that does not keep them by itself.
    pub(super) async fn keep_neighbours(&mut self, handle: &Handle) -> Option<Instant> {
        self.release_unwanted(handle).await;
        let now = Instant::now();
        let mut ask = Vec::new();
        let mut look_again = None;
        for key in &self.wanted {
            // A permanent entry is the operator's decision: asking the kernel to manage it would undo it.
            if self.neighbours.find(*key).is_some_and(|neighbour| neighbour.managed || neighbour.fixed) {
                continue;
            }
            look_again = Some(now + ASK_AGAIN);
            let asked = self.asked.get(key);
            if asked.is_none_or(|asked| now - *asked >= ASK_AGAIN) {
                ask.push((*key, asked.is_none()));
            }
        }
        self.asked.extend(ask.iter().map(|(key, _)| (*key, now)));
        let links = &self.links;
        stream::iter(ask)
            .for_each_concurrent(IN_FLIGHT, |((interface, address), first)| async move {
                let Err(error) = kernel::keep(handle, interface, address).await else { return };
                let name = links.get(&interface).map_or("?", |link| link.name.as_str());
                if first {
                    tracing::warn!(%address, interface = name, %error, "the kernel refuses to resolve a neighbour");
                } else {
                    tracing::debug!(%address, interface = name, %error, "the kernel still refuses");
                }
            })
            .await;
        look_again
    }

    /// Has the kernel ask for the neighbours that are needed and not known, once, unless it or the operator looks after them.
    pub(super) async fn ask_once(&self, handle: &Handle) {
        for key in &self.wanted {
            if self
                .neighbours
                .find(*key)
                .is_none_or(|known| known.mac.is_none() && !known.managed && !known.fixed)
                && let Err(error) = kernel::ask(handle, key.0, key.1).await
            {
                tracing::debug!(address = %key.1, interface = key.0, %error, "the kernel does not ask for a neighbour");
            }
        }
    }

    /// The next hop of each target.
    pub(super) fn hops(&self) -> BTreeMap<IpAddr, Hop> {
        let hop = |target: &IpAddr, route: &Result<Route, Reason>| match route {
            Ok(route) => resolve::resolve(*target, *route, &self.links, &self.neighbours),
            Err(reason) => Hop::Unresolved(reason.clone()),
        };
        self.routes.iter().map(|(target, route)| (*target, hop(target, route))).collect()
    }

    async fn release_unwanted(&mut self, handle: &Handle) {
        let unwanted: Vec<Key> =
            self.asked.keys().filter(|key| !self.wanted.contains(key)).copied().collect();
        for key in unwanted {
            self.asked.remove(&key);
            // Releasing an entry that is gone would create it, and ask for it.
            if self.neighbours.find(key).is_some_and(|neighbour| neighbour.managed)
                && let Err(error) = kernel::release(handle, key.0, key.1).await
            {
                tracing::debug!(address = %key.1, interface = key.0, %error, "a neighbour could not be released");
            }
        }
    }
}
