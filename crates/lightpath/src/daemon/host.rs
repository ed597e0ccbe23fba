//! What a configuration asks of this host beside the data plane: VIPs as addresses, and sysctls that `nat` depends on.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, Result};
use lightpath_control::host::ledger::QueueSetting;
use lightpath_control::host::{Ledger, addresses, announce, prepare_for_nat, queues, shared_with_host};
use lightpath_control::model::{Announce, Config, Forward};
use tracing::{info, warn};

use super::interfaces::Interfaces;

/// The host, and what was changed on it, to be undone by `lightpath detach`.
#[derive(Debug)]
pub(super) struct Host {
    ledger: Ledger,
}

impl Host {
    /// Reads what earlier runs changed.
    pub(super) fn open(ledger: &Path) -> Result<Self> {
        let directory = ledger.parent().context("the ledger has no directory")?;
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        Ok(Self { ledger: Ledger::open(ledger)? })
    }

    /// Sets what `nat` and `fullnat` need in order that replies can leave this node, and the interfaces' queues. Many drivers let nobody
    /// change these while an XDP program is there.
    pub(super) fn prepare(&mut self, config: &Config) -> Result<()> {
        let uses_nat = |v4| {
            config.services.iter().any(|service| returns_here(service.forward) && service.vip.is_ipv4() == v4)
        };
        let before = self.ledger.sysctls().len();
        prepare_for_nat(&config.node.interfaces, uses_nat(true), uses_nat(false), &mut self.ledger)
            .context("cannot prepare this host for nat")?;
        for sysctl in self.ledger.sysctls().iter().skip(before) {
            info!(sysctl = sysctl.path, from = sysctl.previous, to = sysctl.set, "set for nat, until detach");
        }
        self.arrange_queues(config);
        Ok(())
    }

    /// Arranges the interfaces' queues as configured. Packets are balanced however they come, so what cannot be set is only said.
    fn arrange_queues(&mut self, config: &Config) {
        for interface in &config.node.interfaces {
            let (done, failed) = queues::arrange(interface, config.node.queues, &mut self.ledger);
            for QueueSetting { interface, setting, previous, set } in done {
                info!(interface, setting, from = previous, to = set, "set for `queues`, until detach");
            }
            for error in failed {
                warn!("{error}");
            }
        }
    }

    /// Says so when connections of this host's own, from one of its addresses, might meet flows of `fullnat`.
    pub(super) fn check_ports(config: &Config, own: &BTreeSet<IpAddr>) -> Result<()> {
        let Some(ports) = &config.node.snat_ports else {
            // Chosen clear of them.
            return Ok(());
        };
        let sources = &config.node.snat_addresses;
        let own_sources =
            sources.is_empty() || sources.iter().any(|prefix| own.iter().any(|own| prefix.contains(own)));
        if own_sources
            && config.services.iter().any(|service| service.forward == Forward::FullNat)
            && let Some(shared) = shared_with_host(ports)?
        {
            warn!("{shared}");
        }
        Ok(())
    }

    /// Makes the VIPs addresses of this host, unless somebody else routes them, and tells the network of new ones.
    pub(super) async fn announce(&mut self, config: &Config, interfaces: &Interfaces) -> Result<()> {
        let present = interfaces.present();
        if present.is_empty() {
            return Ok(());
        }
        let wanted: BTreeSet<IpAddr> = match config.node.announce {
            Announce::Address => config.services.iter().map(|service| service.vip).collect(),
            Announce::None => BTreeSet::new(),
        };
        let added = addresses::reconcile(&wanted, &present, &mut self.ledger)
            .await
            .context("cannot make the VIPs addresses of this host")?;
        let added: Vec<IpAddr> = added.into_iter().map(|entry| entry.address).collect();
        if !added.is_empty() {
            info!(vips = ?added, "announced");
            tokio::spawn(announce::announce(&added, &present)?);
        }
        Ok(())
    }
}

/// Whether replies come back to this node, and leave it with the VIP as their source.
fn returns_here(forward: Forward) -> bool {
    match forward {
        Forward::Nat | Forward::FullNat => true,
        Forward::Dsr | Forward::Ipip | Forward::Gue => false,
    }
}
