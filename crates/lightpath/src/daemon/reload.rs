//! Reload: the file as it is now becomes what runs, or nothing changes.

use anyhow::{Context, Result, bail};
use lightpath_control::config::{self, LoadError};
use lightpath_control::difference::difference;
use lightpath_control::host::addresses;
use lightpath_control::model::Config;
use lightpath_control::reconcile::{self, Reconciler, Surroundings};
use lightpath_dataplane::{Dataplane, Error as DataplaneError, Spec, check_interfaces, release_memory};
use tracing::{info, warn};

use super::backends::{addresses_of, log_unresolved, wait_for_hops};
use super::interfaces::Interfaces;
use super::{Daemon, Kernel, spec};
use crate::reloaded::Reloaded;

impl Daemon {
    /// Reads the file again and applies what is different in it.
    pub(super) async fn reload(&mut self) -> Result<Reloaded, String> {
        let config = match config::load(&self.file) {
            Ok(config) => config,
            Err(LoadError::Invalid(problems)) => return Err(format!("nothing is changed\n{problems}")),
            Err(error) => return Err(format!("nothing is changed: {error}")),
        };
        let changes = difference(self.reconciler.wanted(), &config);
        if config == *self.reconciler.wanted() {
            return Ok(Reloaded { changes: Vec::new() });
        }
        self.adopt(config).await.map_err(|error| format!("the file is not applied: {error:#}"))?;
        for change in &changes {
            info!("{change}");
        }
        log_unresolved(&self.reconciler);
        release_memory();
        Ok(Reloaded { changes: changes.iter().map(ToString::to_string).collect() })
    }

    /// Makes a configuration the one that runs.
    async fn adopt(&mut self, config: Config) -> Result<()> {
        check_interfaces(&self.instance.pins, &config.node.interfaces)?;
        let mut next = self.reconciler.clone();
        next.configure(config);
        let backends = addresses_of(next.config());
        self.targets.send_replace(backends.clone());
        wait_for_hops(&mut self.hops, &backends).await;
        self.addresses = addresses::all().await.context("cannot see the addresses of this host")?;

        let applied = self.apply(&mut next);
        if let Err(error) = applied {
            // As it was before; what could not be written then was not.
            self.targets.send_replace(addresses_of(self.reconciler.config()));
            let hops = self.hops.borrow().clone();
            let surroundings = Surroundings {
                hops: &hops,
                addresses: &self.addresses,
                merged: self.interfaces.any_generic(),
            };
            self.reconciler
                .reconcile(surroundings, &mut self.kernel)
                .context("the tables are not as they were")?;
            return Err(error);
        }
        self.reconciler = next;
        self.host.prepare(self.reconciler.config())?;
        self.host.announce(self.reconciler.config(), &self.interfaces).await?;
        self.settle();
        Ok(())
    }

    /// Brings tables, program and interfaces in line with a configuration.
    fn apply(&mut self, next: &mut Reconciler) -> Result<()> {
        let node = next.config().node.clone();
        let wanted = spec(next.config());
        let running = *self.kernel.0.spec();
        if !running.capacity.holds(wanted.capacity) || running.hash_key != wanted.hash_key {
            return self.start_afresh(next, &wanted);
        }
        if !running.features.has(wanted.features) || wanted.port_prefixes & !running.port_prefixes != 0 {
            // A program that can do what either configuration needs takes over before the tables ask for it.
            let both = Spec {
                features: running.features | wanted.features,
                port_prefixes: running.port_prefixes | wanted.port_prefixes,
                ..wanted
            };
            let mut kernel = Kernel(Dataplane::open(&self.instance.pins, &both)?);
            self.interfaces = Interfaces::attach(&self.interfaces.present(), node.xdp_mode, &mut kernel.0)?;
            self.kernel = kernel;
        }
        let hops = self.hops.borrow_and_update().clone();
        let surroundings =
            Surroundings { hops: &hops, addresses: &self.addresses, merged: self.interfaces.any_generic() };
        match next.reconcile(surroundings, &mut self.kernel) {
            Ok(_) => {}
            Err(reconcile::Error::Dataplane(full @ DataplaneError::Full { .. })) => {
                warn!("{full}: fresh tables replace the old ones");
                return self.start_afresh(next, &wanted);
            }
            Err(error) => bail!(error),
        }
        self.interfaces = Interfaces::attach(&node.interfaces, node.xdp_mode, &mut self.kernel.0)?;
        Ok(())
    }

    /// Fills fresh tables beside those in use, and takes them into use at once. Every flow is placed anew.
    fn start_afresh(&mut self, next: &mut Reconciler, wanted: &Spec) -> Result<()> {
        let node = next.config().node.clone();
        let mut kernel = Kernel(Dataplane::open_fresh(&self.instance.pins, wanted)?);
        let mut afresh = Reconciler::new(next.wanted().clone(), &kernel.0.tables());
        let hops = self.hops.borrow_and_update().clone();
        let surroundings =
            Surroundings { hops: &hops, addresses: &self.addresses, merged: self.interfaces.any_generic() };
        afresh.reconcile(surroundings, &mut kernel).context("cannot fill the tables")?;
        self.interfaces = Interfaces::attach(&node.interfaces, node.xdp_mode, &mut kernel.0)?;
        self.kernel = kernel;
        *next = afresh;
        Ok(())
    }
}
