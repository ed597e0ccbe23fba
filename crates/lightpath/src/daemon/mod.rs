//! The daemon: one loop that owns the data plane and brings it up to date whenever something it depends on has changed.
//!
//! It starts in an order in which nothing is touched before everything that can be refused was looked at: configuration,
//! interfaces, program, next hops; then tables, interfaces, addresses. On SIGTERM it stops and leaves everything in place.

mod adopt;
mod backends;
mod changes;
mod explain;
mod host;
mod interfaces;
mod kernel;
mod metrics;
mod notify;
mod program;
mod report;
mod server;
mod smoke;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use hyper::StatusCode;
use lightpath_abi::Features;
use lightpath_control::config::Loaded;
use lightpath_control::health::{Checks, Targets};
use lightpath_control::hops::{self, Vlans, Watcher};
use lightpath_control::host::{addresses, ports_for_snat};
use lightpath_control::model::Config;
use lightpath_control::overrides::{Merged, Overrides, Store};
use lightpath_control::plan::Requirements;
use lightpath_control::reconcile::{self, Hops, Reconciler, Surroundings};
use lightpath_core::host::Changes;
use lightpath_core::{HashKey, PortPool};
use lightpath_dataplane::{
    Capacity, Counters, DEFAULT_SESSIONS, Dataplane, Error as DataplaneError, Motion, Spec, check_interfaces,
    release_memory,
};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{self, MissedTickBehavior};
use tracing::{error, info, warn};

use crate::instance::Instance;
use crate::problem::Problem;
use crate::status::Status;
use crate::take_off::take_off;
use backends::{FIRST_CHECKS, addresses_of, conditions, log_unresolved, wait_for_hops};
use explain::Snapshot;
use host::Host;
use interfaces::Interfaces;
pub(crate) use kernel::Kernel;
pub(crate) use metrics::markdown as metrics_reference;
use metrics::{CpuTotals, Endpoint};
pub(crate) use program::try_out;
use program::{Watch, become_successor};
use report::{Rates, Seen};
pub(crate) use server::listen;
use server::{Answer, Question, Requests};

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
    kernel: Kernel,
    interfaces: Interfaces,
    host: Host,
    hops: watch::Receiver<Arc<Hops>>,
    checks: Checks,
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
    /// Requests to the API.
    requests: Requests,
    /// What the API and those who read metrics ask.
    asked: mpsc::Receiver<Question>,
    /// Whether memory was freed that the allocator may have kept.
    has_garbage: bool,
    /// Of a program that has just taken the place of another.
    watch: Option<Watch>,
    /// The version that takes over.
    successor: Option<PathBuf>,
}

/// Runs the daemon until SIGTERM or SIGINT.
pub(crate) async fn run(loaded: Loaded, file: &Path, instance: Instance) -> Result<()> {
    let listener = listen(&instance.socket, &instance.name)?;
    let is_first = !instance.pins.exist();
    let ended = match Daemon::start(loaded, file, instance.clone()).await {
        Ok(daemon) => daemon.serve(listener).await,
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
    /// Brings everything up: when this returns, packets are balanced.
    async fn start(loaded: Loaded, file: &Path, instance: Instance) -> Result<Self> {
        let mut host = Host::open(&instance.ledger)?;
        let store = Store::new(&instance.overrides);
        let (config, overrides) = merged(&loaded, &store)?;
        let node = config.node.clone();
        check_interfaces(&instance.pins, &node.interfaces)?;
        let vlans = hops::vlans().await.context("cannot see the interfaces of this host")?;
        let (questions, asked) = mpsc::channel(WAITING_QUESTIONS);
        let mut metrics = Endpoint::new(questions);
        let address_of_metrics = metrics.prepare(node.metrics)?;
        let mut spec = program(&config, &vlans)?;
        let mut kernel = Kernel(Dataplane::open(&instance.pins, &spec)?);

        let before = kernel.0.counters()?;
        let mut reconciler = Reconciler::new(config, &kernel.0.tables());
        let with_leavers = program(reconciler.config(), &vlans)?;
        if !spec.can_all_of(&with_leavers) {
            // What leaves may need more of the program than what stays.
            spec = spec.joined(&with_leavers);
            kernel = Kernel(Dataplane::open(&instance.pins, &spec)?);
        }
        let backends = addresses_of(reconciler.config());
        let (targets, targets_in) = watch::channel(backends.clone());
        let (hops_out, mut hops) = watch::channel(Arc::default());
        let watcher = Watcher::open().context("cannot watch routes and neighbours")?;
        tokio::spawn(async move {
            if let Err(error) = watcher.run(targets_in, hops_out).await {
                error!(%error, "routes and neighbours are not followed any more; restart the daemon");
            }
        });
        let checked = Targets::of(reconciler.config())?;
        let mut checks = Checks::start(checked).context("cannot check backends")?;
        tokio::join!(wait_for_hops(&mut hops, &backends), checks.settle(FIRST_CHECKS));

        let (known, health) = (hops.borrow_and_update().clone(), checks.view());
        let own = addresses::all().await.context("cannot see the addresses of this host")?;
        let surroundings =
            Surroundings { hops: &known, health: &health, addresses: &own, vlans: &vlans, merged: false };
        let mut filled = reconciler.reconcile(surroundings, &mut kernel);
        if let Err(reconcile::Error::Dataplane(full @ DataplaneError::Full { .. })) = filled {
            info!(
                "{full}: what runs and what is to run do not fit side by side, so fresh tables replace the old ones"
            );
            kernel = Kernel(Dataplane::open_fresh(&instance.pins, &spec)?);
            filled = reconciler.reconcile(surroundings, &mut kernel);
        }
        filled.context("cannot fill the tables")?;
        log_unresolved(&reconciler);
        host.prepare(reconciler.config())?;
        Host::check_ports(reconciler.config(), &own)?;
        let replaces = !instance.pins.linked_interfaces()?.is_empty() && !instance.pins.run_this_build();
        if let Some(interface) = node.interfaces.first().filter(|_| replaces) {
            program::check(&kernel.0, &instance, interface)?;
        }
        let watch = replaces.then_some(Watch::begin(&before, &kernel.0.counters()?));
        let interfaces = Interfaces::attach(&node.interfaces, node.xdp_mode, &mut kernel.0)?;
        if interfaces.any_generic() {
            let surroundings = Surroundings { merged: true, ..surroundings };
            reconciler.reconcile(surroundings, &mut kernel).context("cannot fill the tables")?;
        }
        host.announce(reconciler.config(), &interfaces).await?;
        let own = addresses::all().await.context("cannot see the addresses of this host")?;
        let rates = Rates::new(kernel.0.counters()?);
        let motion = kernel.0.settle()?;
        if let Some(address) = address_of_metrics {
            metrics.switch_to(address);
        }
        release_memory();
        info!(
            services = reconciler.config().services.len(),
            backends = backends.len(),
            interfaces = ?node.interfaces,
            "balancing"
        );
        Ok(Self {
            started: SystemTime::now(),
            instance,
            file: file.to_owned(),
            loaded: Arc::new(loaded),
            overrides,
            store,
            reconciler,
            kernel,
            interfaces,
            host,
            hops,
            checks,
            addresses: own,
            vlans,
            targets,
            rates,
            cpus: CpuTotals::default(),
            motion,
            metrics,
            requests: Requests::default(),
            asked,
            has_garbage: false,
            watch,
            successor: None,
        })
    }

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
                _ = hang_up.recv() => self.reload_on_signal().await,
                Ok(()) = self.hops.changed() => self.follow("next hops changed"),
                () = self.checks.changed() => self.follow("health changed"),
                Some(question) = self.asked.recv() => {
                    self.answer(question).await;
                    if let Some(successor) = self.successor.take() {
                        // Until the successor is ready, which keeps this process's id.
                        notify::reloading();
                        // Whoever asked gets the answer first.
                        time::sleep(LAST_WORDS).await;
                        return Ok(Some(successor));
                    }
                }
                _ = tick.tick() => self.look_after().await,
                _ = settle.tick() => self.settle(),
            }
        }
        notify::stopping();
        info!("the daemon stops; the data plane goes on forwarding, `lightpath detach` takes it off");
        Ok(None)
    }

    /// Brings the tables up to date with what has changed around this node.
    fn follow(&mut self, what: &str) {
        let (hops, health) = (self.hops.borrow_and_update().clone(), self.checks.view());
        let before = conditions(&self.reconciler);
        let surroundings = Surroundings {
            hops: &hops,
            health: &health,
            addresses: &self.addresses,
            vlans: &self.vlans,
            merged: self.interfaces.any_generic(),
        };
        match self.reconciler.reconcile(surroundings, &mut self.kernel) {
            // Another cause of what is down already, say.
            Ok(changes) if changes == Changes::default() => {}
            Ok(changes) => {
                info!(backends = changes.backends, slots = changes.slots, "{what}");
                self.settle();
                self.has_garbage = true;
                if conditions(&self.reconciler) != before {
                    log_unresolved(&self.reconciler);
                }
            }
            Err(error) => error!(%error, "the tables are not up to date"),
        }
    }

    /// Lets slots settle whose flows have ended or are known.
    fn settle(&mut self) {
        match self.kernel.0.settle() {
            Ok(motion) => {
                if self.motion.moving_slots > 0 && motion.moving_slots == 0 {
                    info!("all slots have settled");
                }
                let released = self.reconciler.release(&motion.in_use);
                self.motion = motion;
                if released {
                    match Targets::of(self.reconciler.config()) {
                        Ok(checked) => self.checks.watch(checked),
                        Err(error) => warn!("backends that have left are still checked: {error}"),
                    }
                    self.follow("backends have left");
                }
            }
            Err(error) => warn!(%error, "slots do not settle"),
        }
    }

    /// SIGHUP: nobody waits for an answer, so it is logged.
    async fn reload_on_signal(&mut self) {
        match self.reload(false, false).await {
            Ok(changed) => info!(changes = changed.changes.len(), "reloaded"),
            Err(problem) => error!("{problem}"),
        }
    }

    async fn answer(&mut self, question: Question) {
        match question {
            Question::Status(to) => send(to, self.status()),
            Question::Metrics(to) => send(to, self.figures()),
            Question::Reload { discard, now, to } => send(to, self.reload(discard, now).await),
            Question::RollBack(to) => send(to, self.roll_back()),
            Question::Upgrade(binary, to) => send(to, self.prepare_upgrade(binary).await),
            Question::Change(change, now, to) => send(to, self.change(&change, now).await),
            Question::ExplainFlow(flow, to) => send(to, self.explain(|snapshot| snapshot.flow(&flow))),
            Question::ExplainPackets(packets, to) => {
                let explain =
                    |snapshot: &Snapshot<'_>| packets.iter().map(|packet| snapshot.packet(packet)).collect();
                send(to, self.explain(|snapshot| Ok(explain(snapshot))));
            }
        }
    }

    fn status(&self) -> Result<Status, Problem> {
        let counters = self.kernel.0.counters().map_err(|error| unreadable(&error))?;
        self.status_with(&counters)
    }

    fn status_with(&self, counters: &Counters) -> Result<Status, Problem> {
        let Self { instance, reconciler, interfaces, rates, motion, .. } = self;
        let (dataplane, health) = (&self.kernel.0, self.checks.peek());
        let status = dataplane.sessions().and_then(|sessions| {
            let seen = Seen { reconciler, health: &health, counters, rates, motion, sessions: &sessions };
            report::status(instance, interfaces, dataplane, &seen)
        });
        let (overrides, file_changed) = (self.overrides.lines(), !self.loaded.is_still(&self.file));
        status.map(|status| Status { overrides, file_changed, ..status }).map_err(|error| unreadable(&error))
    }

    /// Answers by a copy of the live tables, so that nothing changes.
    fn explain<T>(&self, answer: impl FnOnce(&Snapshot<'_>) -> Result<T, String>) -> Result<T, Problem> {
        let refused = |problem: String| Problem::new(StatusCode::BAD_REQUEST, problem);
        let tables = self.kernel.0.host_tables().map_err(|error| refused(error.to_string()))?;
        let answer = answer(&Snapshot { tables: &tables, reconciler: &self.reconciler });
        drop(tables);
        release_memory();
        answer.map_err(refused)
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
        if vlans == self.vlans {
            return;
        }
        self.vlans = vlans;
        let wanted = program(self.reconciler.config(), &self.vlans);
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
        self.interfaces.watch(&mut self.kernel.0);
        if let Err(error) = self.host.announce(self.reconciler.config(), &self.interfaces).await {
            warn!("{error:#}");
        }
        match addresses::all().await {
            Ok(addresses) => self.see_addresses(addresses),
            Err(error) => warn!(%error, "whether VIPs are addresses of this host is not followed"),
        }
        match hops::vlans().await {
            Ok(vlans) => self.see_vlans(vlans).await,
            Err(error) => warn!(%error, "VLAN interfaces of this host are not followed"),
        }
        match self.kernel.0.counters() {
            Ok(counters) => {
                self.watch_program(&counters);
                self.cpus.take(&counters.cpus);
                self.rates.sample(counters);
            }
            Err(error) => warn!(%error, "no rates"),
        }
        if std::mem::take(&mut self.has_garbage) {
            release_memory();
        }
    }
}

/// What is to run: the file, and what was changed at run time if it still fits.
fn merged(file: &Loaded, store: &Store) -> Result<(Config, Overrides)> {
    let opened = store.open()?;
    if let Some(problem) = opened.problem {
        error!("changes made at run time are lost, the configuration file counts alone: {problem}");
    }
    match opened.overrides.merged(file) {
        Ok(Merged { config, overrides, left_out }) => {
            for line in left_out {
                warn!("a change made at run time is forgotten: {line}");
            }
            Ok((config, overrides))
        }
        Err(unfit) => {
            let kept = store.keep_aside()?;
            error!(
                kept = %kept.display(),
                "changes made at run time contradict the configuration file, which counts alone: {unfit}"
            );
            Ok((file.config().clone(), Overrides::default()))
        }
    }
}

fn unreadable(error: &DataplaneError) -> Problem {
    let detail = format!("the data plane cannot be read: {error}");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
}

/// Whoever asked may have gone by the time there is an answer.
fn send<T>(to: Answer<T>, answer: Result<T, Problem>) {
    drop(to.send(answer));
}

/// The VIPs among the addresses of a host.
fn vips_among(config: &Config, addresses: &BTreeSet<IpAddr>) -> BTreeSet<IpAddr> {
    config.services.iter().map(|service| service.vip).filter(|vip| addresses.contains(vip)).collect()
}

/// The program that a configuration asks for on a host with these VLAN interfaces.
fn program(config: &Config, vlans: &Vlans) -> Result<Spec> {
    let spec = spec(config)?;
    let replies = spec.features.has(Features::NAT) || spec.features.has(Features::FULLNAT);
    let more = if replies && !vlans.is_empty() { Features::VLAN_ROUTES } else { Features::default() };
    Ok(Spec { features: spec.features | more, ..spec })
}

/// The program that a configuration asks for.
pub(crate) fn spec(config: &Config) -> Result<Spec> {
    let needs = Requirements::of(config);
    let (snat_ports, sessions) = if needs.features.has(Features::FULLNAT) {
        let ports = config.node.snat_ports.clone().map_or_else(ports_for_snat, Ok)?;
        (PortPool { first: *ports.start(), last: *ports.end() }, DEFAULT_SESSIONS)
    } else {
        (PortPool { first: 0, last: 0 }, 1)
    };
    let capacity =
        Capacity::for_use(needs.services, needs.backends, needs.slots, needs.largest_table, needs.entries);
    Ok(Spec {
        features: needs.features,
        port_prefixes: needs.port_prefixes,
        hash_key: HashKey::from_seed(&config.node.hash_seed),
        snat_ports,
        capacity: Capacity { sessions, ..capacity },
    })
}
