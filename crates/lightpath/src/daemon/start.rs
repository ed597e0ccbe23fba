//! The start: from a configuration file to balanced packets, in an order in which nothing is touched before everything that can be
//! refused was looked at: configuration, interfaces, program, next hops; then tables, interfaces, addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result};
use lightpath_control::config::Loaded;
use lightpath_control::health::Checks;
use lightpath_control::hops::{self, Watcher};
use lightpath_control::host::addresses;
use lightpath_control::model::Config;
use lightpath_control::overrides::{Merged, Overrides, Store};
use lightpath_control::reconcile::{self, Hops, Reconciler, Surroundings};
use lightpath_dataplane::{Dataplane, Error as DataplaneError, check_interfaces, release_memory};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use super::backends::{FIRST_CHECKS, addresses_of, wait_for_hops};
use super::check_ways::CheckWays;
use super::events::{Events, Faults, Observer};
use super::host::Host;
use super::interfaces::Interfaces;
use super::metrics::{CpuTotals, Endpoint};
use super::program::{self, Watch};
use super::report::Rates;
use super::server::{Remote, Requests};
use super::{Daemon, Kernel, WAITING_QUESTIONS, spec};
use crate::event::{About, Kind};
use crate::instance::Instance;

impl Daemon {
    /// Brings everything up: when this returns, packets are balanced.
    pub(super) async fn start(loaded: Loaded, file: &Path, instance: Instance) -> Result<Self> {
        let mut host = Host::open(&instance.ledger)?;
        let store = Store::new(&instance.overrides);
        let (config, overrides) = merged(&loaded, &store)?;
        let node = config.node.clone();
        check_interfaces(&instance.pins, &node.interfaces)?;
        let vlans = hops::vlans().await.context("cannot see the interfaces of this host")?;
        let (questions, asked) = mpsc::channel(WAITING_QUESTIONS);
        let requests = Requests::default();
        let mut remote = Remote::new(questions.clone(), requests.clone());
        let remote_api = remote.prepare(node.api.as_ref())?;
        let mut metrics = Endpoint::new(questions);
        let address_of_metrics = metrics.prepare(node.metrics)?;
        let mut wanted = spec(&config, &vlans)?;
        let mut kernel = Kernel(Dataplane::open(&instance.pins, &wanted)?);

        let before = kernel.0.counters()?;
        let mut reconciler = Reconciler::new(config, &kernel.0.tables());
        let with_leavers = spec(reconciler.config(), &vlans)?;
        if !wanted.can_all_of(&with_leavers) {
            // What leaves may need more of the program than what stays.
            wanted = wanted.joined(&with_leavers);
            kernel = Kernel(Dataplane::open(&instance.pins, &wanted)?);
        }
        let backends = addresses_of(reconciler.config());
        let Followed { targets, mut hops, mut checks, check_ways } =
            follow(reconciler.config(), &backends, &instance).await?;

        let (known, health) = (hops.borrow_and_update().clone(), checks.view());
        let own = addresses::all().await.context("cannot see the addresses of this host")?;
        let surroundings =
            Surroundings { hops: &known, health: &health, addresses: &own, vlans: &vlans, merged: false };
        let mut filled = reconciler.reconcile(surroundings, &mut kernel);
        if let Err(reconcile::Error::Dataplane(full @ DataplaneError::Full { .. })) = filled {
            info!(
                "{full}: what runs and what is to run do not fit side by side, so fresh tables replace the old ones"
            );
            kernel = Kernel(Dataplane::open_fresh(&instance.pins, &wanted)?);
            filled = reconciler.reconcile(surroundings, &mut kernel);
        }
        filled.context("cannot fill the tables")?;
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
        remote.switch_to(remote_api);
        release_memory();
        let events = Arc::new(Events::new());
        tell_start(&events, kernel.0.info()?.id, replaces);
        let mut observer = Observer::default();
        observer.look(&reconciler, &events);
        observer.begin(motion.moving_slots > 0, &motion.in_use);
        Ok(Self {
            started: SystemTime::now(),
            instance,
            file: file.to_owned(),
            loaded: Arc::new(loaded),
            overrides,
            store,
            reconciler,
            events,
            observer,
            faults: Faults::default(),
            kernel,
            interfaces,
            host,
            hops,
            checks,
            check_ways,
            addresses: own,
            vlans,
            targets,
            rates,
            cpus: CpuTotals::default(),
            motion,
            metrics,
            remote,
            watched: watch::Sender::default(),
            requests,
            asked,
            has_garbage: false,
            watch,
            trial: None,
            successor: None,
            capture: None,
            drop_examples: BTreeMap::new(),
        })
    }
}

fn tell_start(events: &Events, program: u32, replaces: bool) {
    let program = Some(program);
    let version = Some(env!("CARGO_PKG_VERSION").to_owned());
    events.tell(Kind::Started, "balancing", About { program, version, ..About::default() });
    if replaces {
        let message = "another build of the packet path takes over, and is watched";
        events.tell(Kind::ProgramReplaced, message, About { program, ..About::default() });
    }
}

/// What is followed of the backends.
struct Followed {
    targets: watch::Sender<BTreeSet<IpAddr>>,
    hops: watch::Receiver<Arc<Hops>>,
    checks: Checks,
    check_ways: CheckWays,
}

/// Begins to follow the backends of a configuration, and waits for what is soon known of them.
async fn follow(config: &Config, backends: &BTreeSet<IpAddr>, instance: &Instance) -> Result<Followed> {
    let (targets, targets_in) = watch::channel(backends.clone());
    let (hops_out, mut hops) = watch::channel(Arc::default());
    let watcher = Watcher::open().context("cannot watch routes and neighbours")?;
    tokio::spawn(async move {
        if let Err(error) = watcher.run(targets_in, hops_out).await {
            error!(%error, "routes and neighbours are not followed any more; restart the daemon");
        }
    });
    let mut check_ways = CheckWays::new(&instance.name);
    check_ways.prepare(config).await?;
    let checked = check_ways.targets(config)?;
    if check_ways.are_in_use() {
        // Without a next hop, such a check fails.
        wait_for_hops(&mut hops, backends).await;
        check_ways.follow(config, &hops.borrow().clone());
    }
    let mut checks = Checks::start(checked).context("cannot check backends")?;
    tokio::join!(wait_for_hops(&mut hops, backends), checks.settle(FIRST_CHECKS));
    Ok(Followed { targets, hops, checks, check_ways })
}

/// What is to run: the file, and what was changed at run time if it still fits.
pub(super) fn merged(file: &Loaded, store: &Store) -> Result<(Config, Overrides)> {
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
