//! What the checks look at, gathered once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use lightpath_control::config::{self, LoadError};
use lightpath_control::hops::{self, Hop, Vlans};
use lightpath_control::model::{Config, Forward, Service};
use lightpath_control::overrides::Store;
use nix::net::if_::if_nametoindex;

use crate::api;
use crate::instance::Instance;

/// How long neighbours that are not known may take to answer.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The host as seen from an instance.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) file: PathBuf,
    pub(super) instance: Instance,
    /// Whether a daemon of the instance runs.
    pub(super) is_served: bool,
    /// What is to run: the file, and what was changed at run time.
    pub(super) config: Result<Config, LoadError>,
    /// Why what was changed at run time does not count.
    pub(super) unfit: Option<String>,
    /// The VLAN interfaces of this host.
    pub(super) vlans: Vlans,
    /// The next hop of each backend.
    pub(super) hops: BTreeMap<IpAddr, Hop>,
}

impl Surroundings {
    /// Looks around.
    pub(super) fn look(file: &Path, instance: &Instance) -> Result<Self> {
        let mut unfit = None;
        let config = config::load(file).map(|loaded| {
            let merged = Store::new(&instance.overrides)
                .peek()
                .and_then(|overrides| overrides.merged(&loaded).map_err(|error| error.to_string()));
            let file_alone = |problem| {
                unfit = Some(problem);
                loaded.config().clone()
            };
            merged.map_or_else(file_alone, |merged| merged.config)
        });
        let services = config.iter().flat_map(|config: &Config| &config.services);
        let targets: BTreeSet<IpAddr> =
            services.flat_map(|service| &service.backends).map(|backend| backend.address).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let hops = runtime
            .block_on(hops::look(&targets, PATIENCE))
            .context("cannot look at routes and neighbours")?;
        let vlans = runtime.block_on(hops::vlans()).context("cannot see the interfaces of this host")?;
        let is_served = api::is_served(&instance.socket);
        Ok(Self { file: file.to_owned(), instance: instance.clone(), is_served, config, unfit, vlans, hops })
    }

    /// The services, if the configuration is right.
    pub(super) fn services(&self) -> &[Service] {
        self.config.as_ref().map(|config| config.services.as_slice()).unwrap_or_default()
    }

    /// The services that are forwarded in one of these ways.
    pub(super) fn services_by(&self, ways: &'static [Forward]) -> impl Iterator<Item = &Service> {
        self.services().iter().filter(|service| ways.contains(&service.forward))
    }

    /// The interfaces of the configuration that are there.
    pub(super) fn interfaces(&self) -> Vec<String> {
        let names = self.config.iter().flat_map(|config| &config.node.interfaces);
        names.filter(|name| if_nametoindex(name.as_str()).is_ok()).cloned().collect()
    }

    /// Whether packets take the data plane now, with or without a daemon.
    pub(super) fn is_balancing(&self) -> bool {
        self.instance.pins.linked_interfaces().is_ok_and(|names| !names.is_empty())
    }
}
