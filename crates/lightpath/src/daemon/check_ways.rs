//! The ways of health checks through the data plane, made when a configuration needs them and removed when none does.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use lightpath_control::health::{Targets, UnfitCheck, Ways};
use lightpath_control::hops::Hop;
use lightpath_control::host::CheckDevice;
use lightpath_control::model::Config;
use lightpath_control::reconcile::Hops;
use lightpath_dataplane::CheckWay;
use tracing::{info, warn};

/// See the module.
#[derive(Debug)]
pub(super) struct CheckWays {
    instance: String,
    ways: Ways,
    /// What is in the kernel, while it is needed.
    way: Option<(CheckDevice, CheckWay)>,
}

impl CheckWays {
    /// For the checks of an instance, of which none goes this way yet.
    pub(super) fn new(instance: &str) -> Self {
        Self { instance: instance.to_owned(), ways: Ways::default(), way: None }
    }

    /// Makes what the checks of a configuration need, beside what they have.
    pub(super) async fn prepare(&mut self, config: &Config) -> Result<()> {
        self.ways.mark(config);
        if self.way.is_none() && Ways::are_used_by(config) {
            let mut way = CheckWay::load().context("cannot check through the data plane")?;
            let device = CheckDevice::make(&self.instance).await?;
            way.leave_by(&device.name).context("cannot check through the data plane")?;
            info!(device = device.name, "health checks go through the data plane");
            self.ways.leave_by(Some(&device.name));
            self.way = Some((device, way));
        }
        Ok(())
    }

    /// Whether any check goes this way.
    pub(super) fn are_in_use(&self) -> bool {
        self.way.is_some()
    }

    /// What is to be checked, by these ways.
    pub(super) fn targets(&self, config: &Config) -> Result<Targets, UnfitCheck> {
        self.ways.targets(config)
    }

    /// Follows next hops, and interfaces that were made anew.
    pub(super) fn follow(&mut self, config: &Config, hops: &Hops) {
        let Some((_, way)) = &mut self.way else { return };
        // Answers come in where clients' packets do, or where the backends are.
        let mut interfaces: BTreeSet<&str> = config.node.interfaces.iter().map(String::as_str).collect();
        interfaces.extend(hops.values().filter_map(|hop| match hop {
            Hop::Resolved(hop) => Some(hop.interface_name.as_str()),
            Hop::Unresolved(_) => None,
        }));
        let followed =
            way.set(self.ways.entries(config, hops)).and_then(|()| way.listen_on(interfaces.iter().copied()));
        if let Err(error) = followed {
            warn!(%error, "checks through the data plane may fail for no fault of a backend");
        }
    }

    /// Makes the device anew if somebody has removed it.
    pub(super) async fn mend(&mut self, config: &Config) {
        let is_there = self.way.as_ref().is_some_and(|(device, _)| device.is_there());
        if is_there || !Ways::are_used_by(config) {
            return;
        }
        self.way = None;
        match self.prepare(config).await {
            Ok(()) => warn!("the device of checks through the data plane was gone, and is back"),
            Err(error) => warn!("checks through the data plane are not made: {error:#}"),
        }
    }

    /// Removes what a configuration does not need.
    pub(super) async fn tidy(&mut self, config: &Config) {
        self.ways.keep(config);
        if !Ways::are_used_by(config) {
            self.close().await;
        }
    }

    /// Removes all of it.
    pub(super) async fn close(&mut self) {
        if self.way.take().is_some() {
            self.ways.leave_by(None);
            if let Err(error) = CheckDevice::remove(&self.instance).await {
                warn!("{error}; `lightpath detach` tries again");
            }
        }
    }
}
