//! Another configuration becomes what runs, or nothing changes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use lightpath_control::host::addresses;
use lightpath_control::model::Config;
use lightpath_control::reconcile::{self, Reconciler};
use lightpath_dataplane::{Dataplane, Error as DataplaneError, Spec, check_interfaces};
use tracing::warn;

use super::backends::{FIRST_CHECKS, addresses_of, wait_for_hops};
use super::interfaces::Interfaces;
use super::{Daemon, Host, Kernel, spec};

impl Daemon {
    /// Makes a configuration the one that runs.
    pub(super) async fn adopt(&mut self, config: Config) -> Result<()> {
        check_interfaces(&self.instance.pins, &config.node.interfaces)?;
        let address_of_metrics = self.metrics.prepare(config.node.metrics)?;
        let api = self.remote.prepare(config.node.api.as_ref())?;
        let mut next = self.reconciler.clone();
        next.configure(config);
        self.check_ways.prepare(next.config()).await?;
        let checked = self.check_ways.targets(next.config())?;
        self.host.prepare(next.config())?;
        let backends = addresses_of(next.config());
        self.follow_hops_of(&backends);
        if self.check_ways.are_in_use() {
            // Without a next hop, such a check fails.
            wait_for_hops(&mut self.hops, &backends).await;
            self.check_ways.follow(next.config(), &self.hops.borrow().clone());
        }
        self.checks.watch(checked);
        tokio::join!(wait_for_hops(&mut self.hops, &backends), self.checks.settle(FIRST_CHECKS));
        if let Err(error) = self.enter(&mut next).await {
            // As it was before; what could not be written then was not.
            self.follow_hops_of(&addresses_of(self.reconciler.config()));
            self.checks.watch(self.check_ways.targets(self.reconciler.config())?);
            let known = self.known();
            self.check_ways.follow(self.reconciler.config(), &known.hops);
            self.check_ways.tidy(self.reconciler.config()).await;
            self.reconciler
                .reconcile(known.surroundings(), &mut self.kernel)
                .context("the tables are not as they were")?;
            return Err(error);
        }
        self.reconciler = next;
        self.check_ways.tidy(self.reconciler.config()).await;
        if let Some(address) = address_of_metrics {
            self.metrics.switch_to(address);
        }
        self.remote.switch_to(api);
        if let Err(error) = self.host.announce(self.reconciler.config(), &self.interfaces).await {
            // It is tried again with every look at the host.
            warn!("{error:#}");
        }
        self.settle();
        Ok(())
    }

    /// Has next hops followed to these backends and no others. Nothing is looked up anew if they are the same.
    fn follow_hops_of(&self, backends: &BTreeSet<IpAddr>) {
        self.targets.send_if_modified(|followed| {
            let differs = followed != backends;
            if differs {
                followed.clone_from(backends);
            }
            differs
        });
    }

    /// Applies a configuration whose backends are known as far as they can be.
    async fn enter(&mut self, next: &mut Reconciler) -> Result<()> {
        self.addresses = addresses::all().await.context("cannot see the addresses of this host")?;
        Host::check_ports(next.config(), &self.addresses)?;
        self.apply(next)
    }

    /// Brings tables, program and interfaces in line with a configuration.
    fn apply(&mut self, next: &mut Reconciler) -> Result<()> {
        let node = next.config().node.clone();
        let wanted = spec(next.config(), &self.vlans)?;
        let running = *self.kernel.0.spec();
        if running.hash_key != wanted.hash_key {
            return self.start_afresh(next, &wanted);
        }
        if !running.capacity.holds(wanted.capacity)
            || !running.can_all_of(&wanted)
            || running.spread != wanted.spread
        {
            // A program that can do what either configuration needs takes over before the tables ask for it, and over larger
            // maps if they need to be.
            self.end_capture();
            let mut kernel = Kernel(Dataplane::open(&self.instance.pins, &wanted.joined(&running))?);
            self.interfaces = Interfaces::attach(&self.interfaces.present(), node.xdp_mode, &mut kernel.0)?;
            self.kernel = kernel;
        }
        let known = self.known();
        match next.reconcile(known.surroundings(), &mut self.kernel) {
            Ok(_) => {}
            Err(reconcile::Error::Dataplane(full @ DataplaneError::Full { .. })) => {
                warn!("{full}: fresh tables replace the old ones");
                return self.start_afresh(next, &wanted);
            }
            Err(error) => bail!(error),
        }
        if !self.interfaces.are(&node.interfaces, node.xdp_mode) {
            self.end_capture();
            self.interfaces = Interfaces::attach(&node.interfaces, node.xdp_mode, &mut self.kernel.0)?;
        }
        Ok(())
    }

    /// Fills fresh tables beside those in use, and takes them into use at once. Every flow is placed anew.
    fn start_afresh(&mut self, next: &mut Reconciler, wanted: &Spec) -> Result<()> {
        let node = next.config().node.clone();
        self.end_capture();
        let mut kernel = Kernel(Dataplane::open_fresh(&self.instance.pins, wanted)?);
        let mut afresh = Reconciler::new(next.wanted().clone(), &kernel.0.tables());
        let known = self.known();
        afresh.reconcile(known.surroundings(), &mut kernel).context("cannot fill the tables")?;
        self.interfaces = Interfaces::attach(&node.interfaces, node.xdp_mode, &mut kernel.0)?;
        self.kernel = kernel;
        *next = afresh;
        Ok(())
    }
}
