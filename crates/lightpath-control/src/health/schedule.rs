//! When which backend is checked, and what comes of it: one loop over a queue of due times.
//!
//! Checks run side by side in this one task, so that thousands of them cost no thread and no wake-up that is not theirs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{self, Instant, MissedTickBehavior};
use tokio_util::time::DelayQueue;
use tracing::{debug, warn};

use super::cause::Cause;
use super::latency::{LastCheck, Latency};
use super::probe::Probe;
use super::state::{Change, FULL, State};
use super::targets::{Server, Targets};
use super::view::{Position, Standing, View};
use crate::transitions::endpoint;

/// Changes are told together when they come within this time: each costs whoever is told a look at all backends.
const GATHER: Duration = Duration::from_millis(50);
/// How often growing shares are looked at.
const RAMP: Duration = Duration::from_secs(1);
/// First checks of many backends are spread by this much for each, so that they do not all go out at once.
const SPREAD: Duration = Duration::from_micros(100);
/// How often this host's own trouble is logged.
const COMPLAIN: Duration = Duration::from_secs(10);

/// Who is checked; never used again for another.
type Id = u64;
type Running = Pin<Box<dyn Future<Output = (Id, Result<(), Cause>)> + Send>>;

/// A backend that is checked.
#[derive(Debug)]
struct Entry {
    service: Arc<str>,
    server: Server,
    probe: Arc<Probe>,
    state: State,
    /// When its last check began.
    begun: Instant,
    /// As in [`Standing`].
    since: Option<SystemTime>,
    downs: Arc<BTreeMap<&'static str, u64>>,
    latency: Arc<Latency>,
    last: LastCheck,
    /// As last told.
    parts: u8,
}

/// The loop's state.
pub(super) struct Schedule {
    targets: Arc<Targets>,
    entries: BTreeMap<Id, Entry>,
    ids: BTreeMap<(Arc<str>, Server), Id>,
    next_id: Id,
    /// Who is due when.
    due: DelayQueue<Id>,
    /// Who is due, and waits because too many checks run.
    waiting: VecDeque<Id>,
    running: FuturesUnordered<Running>,
    most_at_once: usize,
    /// Whose share grows.
    growing: BTreeSet<Id>,
    view: View,
    /// Whose standing differs from what was told.
    untold: BTreeSet<Id>,
    tell_at: Option<Instant>,
    complained: Option<Instant>,
}

impl Schedule {
    pub(super) fn new(most_at_once: usize) -> Self {
        Self {
            targets: Arc::default(),
            entries: BTreeMap::new(),
            ids: BTreeMap::new(),
            next_id: 0,
            due: DelayQueue::new(),
            waiting: VecDeque::new(),
            running: FuturesUnordered::new(),
            most_at_once,
            growing: BTreeSet::new(),
            view: View::default(),
            untold: BTreeSet::new(),
            tell_at: None,
            complained: None,
        }
    }

    /// Checks what it is told to, and tells what comes of it, until nobody tells it any more.
    pub(super) async fn run(
        mut self,
        mut targets: watch::Receiver<(u64, Arc<Targets>)>,
        told: &watch::Sender<Arc<View>>,
    ) {
        let mut ramp = time::interval(RAMP);
        ramp.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (round, first) = targets.borrow_and_update().clone();
        self.adopt(first, round);
        loop {
            let tell_at = self.tell_at.unwrap_or_else(Instant::now);
            tokio::select! {
                more = targets.changed() => {
                    if more.is_err() {
                        return;
                    }
                    let (round, next) = targets.borrow_and_update().clone();
                    self.adopt(next, round);
                }
                Some((id, outcome)) = self.running.next() => self.conclude(id, outcome),
                Some(due) = self.due.next() => self.begin(due.into_inner()),
                () = time::sleep_until(tell_at), if self.tell_at.is_some() => {
                    self.tell();
                    told.send_replace(Arc::new(self.view.clone()));
                }
                _ = ramp.tick(), if !self.growing.is_empty() => self.grow(),
            }
        }
    }

    /// Takes up another set of targets. Those that it has in common with the last keep their state.
    fn adopt(&mut self, targets: Arc<Targets>, round: u64) {
        let is_first = self.view.round == 0;
        let before = std::mem::replace(&mut self.targets, targets);
        let targets = Arc::clone(&self.targets);
        let mut gone = std::mem::take(&mut self.ids);
        let mut added = Vec::new();
        for (name, service) in &targets.services {
            let Some(probe) = &service.probe else { continue };
            let known = before.services.get(name);
            for server in &service.servers {
                let key = (Arc::clone(name), *server);
                let id = gone.remove(&key).unwrap_or_else(|| {
                    let was_there = is_first || known.is_some_and(|known| known.servers.contains(server));
                    let state = if was_there { State::there() } else { State::added() };
                    added.push(self.next_id);
                    self.add(Arc::clone(name), *server, Arc::clone(probe), state)
                });
                self.ids.insert(key, id);
                if let Some(entry) = self.entries.get_mut(&id) {
                    if entry.probe.health != probe.health {
                        entry.state.recount();
                    }
                    entry.probe = Arc::clone(probe);
                }
            }
        }
        for ((service, server), id) in gone {
            self.entries.remove(&id);
            self.growing.remove(&id);
            if let Some(standings) = self.view.services.get_mut(&service) {
                Arc::make_mut(standings).remove(&server);
            }
        }
        let is_checked =
            |name: &Arc<str>| targets.services.get(name).is_some_and(|known| known.probe.is_some());
        self.view.latencies.retain(|name, _| is_checked(name));
        let spread = SPREAD * u32::try_from(added.len()).unwrap_or(u32::MAX);
        for id in added {
            let Some(entry) = self.entries.get(&id) else { continue };
            let latest = spread.min(entry.probe.health.interval / 2);
            self.due.insert(id, latest.mul_f64(fastrand::f64()));
            self.untold.insert(id);
        }
        self.view.round = round;
        // Whoever has changed the targets may be waiting.
        self.tell_at = Some(Instant::now());
    }

    fn add(&mut self, service: Arc<str>, server: Server, probe: Arc<Probe>, state: State) -> Id {
        let id = self.next_id;
        self.next_id += 1;
        let begun = Instant::now();
        let latency = Arc::clone(self.view.latencies.entry(Arc::clone(&service)).or_default());
        let entry = Entry {
            service,
            server,
            probe,
            state,
            begun,
            since: None,
            downs: Arc::default(),
            latency,
            last: LastCheck::default(),
            parts: FULL,
        };
        self.entries.insert(id, entry);
        id
    }

    fn begin(&mut self, id: Id) {
        if self.running.len() >= self.most_at_once {
            self.waiting.push_back(id);
            return;
        }
        // One that is not checked any more is due for a last time.
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.begun = Instant::now();
        let (probe, server) = (Arc::clone(&entry.probe), entry.server);
        self.running.push(Box::pin(async move { (id, probe.run(server).await) }));
    }

    fn conclude(&mut self, id: Id, outcome: Result<(), Cause>) {
        if let Some(next) = self.waiting.pop_front() {
            self.begin(next);
        }
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let was_decided = entry.state.is_decided();
        let now = Instant::now();
        let interval = entry.probe.health.interval;
        // The second check may come early, so that checks which began together do not stay together.
        let least = if was_decided { 0.9 } else { 0.5 };
        let pause = interval.mul_f64(least + (1.0 - least) * fastrand::f64());
        self.due.insert_at(id, (entry.begun + pause).max(now));
        match outcome {
            Err(cause) if cause.is_local() => self.complain(&cause),
            outcome => {
                let took = now.duration_since(entry.begun);
                entry.latency.add(took);
                entry.last.set(took);
                self.observe(id, outcome, now);
            }
        }
    }

    fn observe(&mut self, id: Id, outcome: Result<(), Cause>, now: Instant) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let (service, backend) = (&entry.service, endpoint(entry.server));
        match entry.state.observe(outcome, now.into_std(), &entry.probe.health) {
            Change::None => return,
            Change::Detail => {
                let cause = entry.state.down().map(ToString::to_string);
                debug!(%service, %backend, cause, "the backend is as before");
            }
            Change::Up => {
                debug!(%service, %backend, "the backend is up");
                entry.since = Some(SystemTime::now());
                if !entry.probe.health.slow_start.is_zero() {
                    self.growing.insert(id);
                }
            }
            Change::Down => {
                if let Some(cause) = entry.state.down() {
                    debug!(%service, %backend, %cause, "the backend is down");
                    *Arc::make_mut(&mut entry.downs).entry(cause.name()).or_default() += 1;
                }
                entry.since = Some(SystemTime::now());
                self.growing.remove(&id);
            }
        }
        self.untold.insert(id);
        self.tell_soon();
    }

    /// Lets the shares grow whose time has come.
    fn grow(&mut self) {
        let now = Instant::now().into_std();
        let mut full = Vec::new();
        for id in &self.growing {
            let Some(entry) = self.entries.get(id) else { continue };
            let parts = entry.state.parts(now, &entry.probe.health);
            if parts != entry.parts {
                self.untold.insert(*id);
                self.tell_at.get_or_insert(Instant::now());
            }
            if parts == FULL {
                full.push(*id);
            }
        }
        for id in full {
            self.growing.remove(&id);
        }
    }

    fn tell_soon(&mut self) {
        self.tell_at.get_or_insert_with(|| Instant::now() + GATHER);
    }

    /// Brings the view up to date.
    fn tell(&mut self) {
        self.tell_at = None;
        let now = Instant::now().into_std();
        for id in std::mem::take(&mut self.untold) {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            entry.parts = entry.state.parts(now, &entry.probe.health);
            let position = match entry.state.down() {
                None => Position::Up { parts: entry.parts },
                Some(cause) => Position::Down(cause.clone()),
            };
            let (downs, last) = (Arc::clone(&entry.downs), entry.last.clone());
            let standing = Standing { position, since: entry.since, downs, last };
            let standings = self.view.services.entry(Arc::clone(&entry.service)).or_default();
            Arc::make_mut(standings).insert(entry.server, standing);
        }
        self.view.services.retain(|_, standings| !standings.is_empty());
        self.view.undecided = self.entries.values().filter(|entry| !entry.state.is_decided()).count();
    }

    fn complain(&mut self, cause: &Cause) {
        if self.complained.is_none_or(|before| before.elapsed() > COMPLAIN) {
            warn!(%cause, running = self.running.len(), "checks are left out");
            self.complained = Some(Instant::now());
        }
    }
}
