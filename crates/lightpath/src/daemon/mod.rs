//! The daemon: one loop that owns the data plane and brings it up to date whenever something it depends on has changed.
//! On SIGTERM it stops and leaves everything in place.

mod adopt;
mod answers;
mod backends;
mod capture;
mod changes;
mod check_ways;
mod events;
mod explain;
mod host;
mod interfaces;
mod kernel;
mod known;
mod listening;
mod metrics;
mod notify;
mod program;
mod report;
mod server;
mod smoke;
mod spec;
mod start;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use lightpath_control::config::Loaded;
use lightpath_control::health::Checks;
use lightpath_control::hops::{self, Vlans};
use lightpath_control::host::addresses;
use lightpath_control::model::Config;
use lightpath_control::overrides::{Overrides, Store};
use lightpath_control::reconcile::{Hops, Reconciler};
use lightpath_core::host::Changes;
use lightpath_dataplane::{Motion, release_memory};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{self, MissedTickBehavior};
use tracing::{debug, error, warn};

use crate::drops::Example;
use crate::event::{About, Kind};
use crate::instance::Instance;
use crate::take_off::take_off;
use capture::Capture;
use check_ways::CheckWays;
use events::{Events, Faults, Observer};
use host::Host;
use interfaces::Interfaces;
pub(crate) use kernel::Kernel;
pub(crate) use metrics::markdown as metrics_reference;
use metrics::{CpuTotals, Endpoint};
use program::Watch;
use report::Rates;
pub(crate) use server::listen;
use server::{Question, Remote, Requests};
pub(crate) use spec::spec;
use start::merged;
pub(crate) use upgrade::try_out;
use upgrade::{Trial, become_successor};

/// How often interfaces and addresses are looked after, and rates are taken.
const TICK: Duration = Duration::from_secs(2);
/// How often moving slots are looked at; an idle flow is waited for much longer.
const SETTLE: Duration = Duration::from_secs(10);
/// How long a daemon lives on after it has said that another version takes over.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Questions of the API that may wait for the loop.
const WAITING_QUESTIONS: usize = 16;

/// A running daemon.
#[derive(Debug)]
pub(crate) struct Daemon {
    started: SystemTime,
    instance: Instance,
    /// The configuration file, read again on a reload.
    file: PathBuf,
    /// What it said when it was last read.
    loaded: Arc<Loaded>,
    /// What was changed at run time.
    overrides: Overrides,
    store: Store,
    reconciler: Reconciler,
    events: Arc<Events>,
    observer: Observer,
    faults: Faults,
    kernel: Kernel,
    interfaces: Interfaces,
    host: Host,
    hops: watch::Receiver<Arc<Hops>>,
    checks: Checks,
    check_ways: CheckWays,
    /// Addresses of this host, as last seen.
    addresses: BTreeSet<IpAddr>,
    /// VLAN interfaces of this host, as last seen.
    vlans: Vlans,
    /// The backends whose next hops are followed.
    targets: watch::Sender<BTreeSet<IpAddr>>,
    rates: Rates,
    cpus: CpuTotals,
    motion: Motion,
    /// Where metrics are served.
    metrics: Endpoint,
    /// Where the API is served beside the socket.
    remote: Remote,
    /// The status as those who watch get it; written only while somebody does.
    watched: watch::Sender<Arc<str>>,
    /// Requests to the API.
    requests: Requests,
    /// What the API and those who read metrics ask.
    asked: mpsc::Receiver<Question>,
    /// Whether memory was freed that the allocator may have kept.
    has_garbage: bool,
    /// Of packets, while somebody looks on.
    capture: Option<Capture>,
    /// By reason, the latest packet that was dropped for it while somebody looked for examples.
    drop_examples: BTreeMap<String, Example>,
    /// Of a program that has just taken the place of another.
    watch: Option<Watch>,
    /// The version that is being tried.
    trial: Option<Trial>,
    /// The version that takes over.
    successor: Option<PathBuf>,
}

/// Runs the daemon until SIGTERM or SIGINT.
pub(crate) async fn run(loaded: Loaded, file: &Path, instance: Instance) -> Result<()> {
    let listener = listen(&instance.socket, &instance.name)?;
    let is_first = !instance.pins.exist();
    let ended = match Daemon::start(loaded, file, instance.clone()).await {
        Ok(daemon) => Box::pin(daemon.serve(listener)).await,
        Err(error) => {
            if is_first && instance.pins.exist() {
                take_back(&instance).await;
            }
            Err(error)
        }
    };
    let socket = &instance.socket;
    if let Err(error) = std::fs::remove_file(socket) {
        warn!(socket = %socket.display(), %error, "the socket stays");
    }
    match ended? {
        Some(successor) => Err(become_successor(&successor)),
        None => Ok(()),
    }
}

/// Undoes a first start that failed half-way, so that a refusal changes nothing. Where a data plane ran before, it runs on.
async fn take_back(instance: &Instance) {
    match take_off(instance).await {
        Ok(taken) => taken.failures.iter().for_each(|failure| warn!("{failure}")),
        Err(error) => warn!("what was begun is not undone: {error:#}"),
    }
}

impl Daemon {
    /// Answers the API and follows changes until SIGTERM or SIGINT, or until another version takes over.
    async fn serve(mut self, listener: UnixListener) -> Result<Option<PathBuf>> {
        tokio::spawn(server::serve(listener, self.metrics.questions(), self.requests.clone()));
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut tick = time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut settle = time::interval(SETTLE);
        settle.set_missed_tick_behavior(MissedTickBehavior::Delay);
        notify::ready();
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                // Nobody waits for an answer; what came of it is told as an event.
                _ = hang_up.recv(), if self.trial.is_none() => drop(self.reload(false, false).await),
                Ok(()) = self.hops.changed() => self.follow("next hops changed"),
                () = self.checks.changed() => self.follow("health changed"),
                Some(question) = self.asked.recv() => self.answer(question).await,
                outcome = Trial::end(&mut self.trial) => self.end_trial(outcome),
                _ = tick.tick() => self.look_after().await,
                _ = settle.tick() => self.settle(),
            }
            if let Some(successor) = self.successor.take() {
                self.end_capture();
                // Until the successor is ready, which keeps this process's id.
                notify::reloading();
                self.check_ways.close().await;
                // Whoever asked gets the answer first.
                time::sleep(LAST_WORDS).await;
                return Ok(Some(successor));
            }
        }
        self.end_capture();
        notify::stopping();
        self.check_ways.close().await;
        let message = "the daemon stops; the data plane goes on forwarding, `lightpath detach` takes it off";
        self.events.tell(Kind::Stopped, message, About::default());
        Ok(None)
    }

    /// Brings the tables up to date with what has changed around this node.
    fn follow(&mut self, what: &str) {
        let known = self.known();
        self.check_ways.follow(self.reconciler.config(), &known.hops);
        match self.reconciler.reconcile(known.surroundings(), &mut self.kernel) {
            Ok(changes) => {
                self.observer.look(&self.reconciler, &self.events);
                self.show();
                // Not so with another cause of what is down already, say.
                if changes != Changes::default() {
                    debug!(backends = changes.backends, slots = changes.slots, "{what}");
                    self.settle();
                    self.has_garbage = true;
                }
            }
            Err(error) => error!(%error, "the tables are not up to date"),
        }
    }

    /// Lets slots settle whose flows have ended or are known.
    fn settle(&mut self) {
        match self.kernel.0.settle() {
            Ok(motion) => {
                self.observer.see_moving(motion.moving_slots, &self.events);
                self.observer.see_use(&motion.in_use, &self.events);
                let released = self.reconciler.release(&motion.in_use);
                self.motion = motion;
                if released {
                    match self.check_ways.targets(self.reconciler.config()) {
                        Ok(checked) => self.checks.watch(checked),
                        Err(error) => warn!("backends that have left are still checked: {error}"),
                    }
                    self.follow("backends have left");
                }
            }
            Err(error) => warn!(%error, "slots do not settle"),
        }
    }

    /// A VIP that has become an address of this host, or is one no longer, is answered for by another.
    fn see_addresses(&mut self, addresses: BTreeSet<IpAddr>) {
        let before = std::mem::replace(&mut self.addresses, addresses);
        let config = self.reconciler.config();
        if vips_among(config, &before) != vips_among(config, &self.addresses) {
            self.follow("the addresses of this host changed");
        }
    }

    /// Replies may be routed to VLAN interfaces, which takes another program where there were none.
    async fn see_vlans(&mut self, vlans: Vlans) {
        // While another version is tried, nothing takes the place of what it is tried on.
        if vlans == self.vlans || self.trial.is_some() {
            return;
        }
        self.vlans = vlans;
        let wanted = spec(self.reconciler.config(), &self.vlans);
        if wanted.is_ok_and(|wanted| self.kernel.0.spec().can_all_of(&wanted)) {
            self.follow("the VLAN interfaces of this host changed");
        } else if let Err(error) = self.adopt(self.reconciler.wanted().clone()).await {
            error!("replies do not reach clients on VLAN interfaces: {error:#}");
        }
    }

    /// What runs, in a line.
    fn summary(&self) -> String {
        let config = self.reconciler.config();
        let backends: usize = config.services.iter().map(|service| service.backends.len()).sum();
        let interfaces = self.interfaces.present().join(", ");
        format!("balancing on {interfaces}; services: {}, backends: {backends}", config.services.len())
    }

    /// What changes without telling: interfaces made anew, addresses flushed.
    async fn look_after(&mut self) {
        notify::alive(&self.summary());
        self.interfaces.watch(&mut self.kernel.0, &self.events, &mut self.faults);
        self.check_ways.mend(self.reconciler.config()).await;
        let hops = self.hops.borrow().clone();
        self.check_ways.follow(self.reconciler.config(), &hops);
        let announced = self.host.announce(self.reconciler.config(), &self.interfaces).await;
        self.faults.see("VIPs are not announced", announced);
        let addresses = addresses::all().await;
        if let Some(addresses) =
            self.faults.see("whether VIPs are addresses of this host is not followed", addresses)
        {
            self.see_addresses(addresses);
        }
        let vlans = hops::vlans().await;
        if let Some(vlans) = self.faults.see("VLAN interfaces of this host are not followed", vlans) {
            self.see_vlans(vlans).await;
        }
        let counters = self.kernel.0.counters();
        if let Some(counters) = self.faults.see("packets are not counted", counters) {
            self.watch_program(&counters);
            self.cpus.take(&counters.cpus);
            self.rates.sample(counters);
            self.show();
        }
        if std::mem::take(&mut self.has_garbage) {
            release_memory();
        }
    }
}

/// The VIPs among the addresses of a host.
fn vips_among(config: &Config, addresses: &BTreeSet<IpAddr>) -> BTreeSet<IpAddr> {
    config.services.iter().map(|service| service.vip).filter(|vip| addresses.contains(vip)).collect()
}
