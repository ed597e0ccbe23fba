//! What services, backends and interfaces are called when a capture begins.

use std::collections::BTreeMap;

use lightpath_abi::{BackendNumber, ServiceIndex};
use lightpath_control::overrides::Endpoint;
use lightpath_control::reconcile::Reconciler;
use nix::net::if_::if_indextoname;

/// The names behind numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) services: BTreeMap<ServiceIndex, String>,
    pub(super) backends: BTreeMap<BackendNumber, Endpoint>,
}

impl Names {
    pub(super) fn of(reconciler: &Reconciler) -> Self {
        let mut names = Self::default();
        for (service, state) in reconciler.config().services.iter().zip(reconciler.states()) {
            names.services.insert(state.index, service.name.clone());
            for (backend, state) in service.backends.iter().zip(&state.backends) {
                let endpoint = Endpoint { address: backend.address, port: backend.port };
                names.backends.insert(state.number, endpoint);
            }
        }
        names
    }

    /// A service that came later has only its number.
    pub(super) fn service(&self, index: ServiceIndex) -> String {
        self.services.get(&index).cloned().unwrap_or_else(|| format!("service {index}"))
    }

    pub(super) fn backend(&self, number: BackendNumber) -> String {
        self.backends.get(&number).map_or_else(|| format!("backend {number}"), ToString::to_string)
    }
}

/// The name of an interface, or its number if it is gone.
pub(super) fn interface(index: u32) -> String {
    let name = if_indextoname(index).ok().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| index.to_string())
}
