//! What is to be checked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::probe::Probe;
use super::tls::{Connectors, TlsError};
use super::ways::Ways;
use crate::model::Config;

/// A backend of a service: its address, and the port its packets get, unless that is the client's.
pub type Server = (IpAddr, Option<u16>);

/// The backends of a configuration and how they are checked.
#[derive(Debug, Default)]
pub struct Targets {
    pub(super) services: BTreeMap<Arc<str>, Service>,
}

#[derive(Debug)]
pub(super) struct Service {
    /// `None` when its backends are not checked. They are listed all the same: should they be checked one day, they are not
    /// new.
    pub(super) probe: Option<Arc<Probe>>,
    pub(super) servers: BTreeSet<Server>,
}

impl Targets {
    /// Those of a configuration. Files of certificates are read here, so that one that is wrong changes nothing.
    /// Those that go through the data plane take the ways that were made for them.
    pub fn of(config: &Config, ways: &Ways) -> Result<Self, UnfitCheck> {
        let mut services = BTreeMap::new();
        let mut connectors = Connectors::default();
        for service in &config.services {
            let unfit = |source| UnfitCheck { service: service.name.clone(), source };
            let probe = |health| {
                let probe = Probe::new(health, &mut connectors).map_err(unfit)?;
                Ok(Arc::new(probe.on_its_way(service, ways)))
            };
            let probe = service.health.as_ref().map(probe).transpose()?;
            let servers = service.backends.iter().map(|backend| (backend.address, backend.port)).collect();
            services.insert(service.name.as_str().into(), Service { probe, servers });
        }
        Ok(Self { services })
    }
}

/// A service whose checks cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("service {service}: health: {source}")]
pub struct UnfitCheck {
    /// Its name.
    pub service: String,
    /// What is wrong.
    pub source: TlsError,
}
