//! Changes made at run time, on top of the configuration file.
//!
//! They are kept as what is different, not as the list of commands that led there: doing and undoing leaves nothing. They are
//! merged into the file's own tables, so that what comes out is checked by the same rules as the file.

mod change;
mod definition;
mod merge;
mod store;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::{fmt, str};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use change::{Change, Refused};
pub use definition::definition_of;
pub use merge::{Merged, Unfit};
pub use store::{Opened, Pending, Store, StoreError};

/// The keys of a `[[service]]` or `[[service.backend]]`, in JSON.
pub type Definition = Map<String, Value>;

/// Everything that differs from the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// Services that were added, in the order they came.
    #[serde(default)]
    added_services: Vec<Definition>,
    /// Services of the file that are taken out.
    #[serde(default)]
    removed_services: BTreeSet<String>,
    /// Backends that are not as the file says, or as the service that was added says.
    #[serde(default)]
    backends: Vec<BackendOverride>,
}

/// What differs of one backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct BackendOverride {
    service: String,
    #[serde(flatten)]
    backend: Endpoint,
    /// How it was added, where the service's own definition does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added: Option<Definition>,
    /// Whether it was taken out of the service's own definition.
    #[serde(default, skip_serializing_if = "is_false")]
    removed: bool,
    /// Whether it takes no new flows, whatever its weight.
    #[serde(default, skip_serializing_if = "is_false")]
    drained: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<u16>,
}

impl BackendOverride {
    fn new(service: &str, backend: Endpoint) -> Self {
        Self {
            service: service.to_owned(),
            backend,
            added: None,
            removed: false,
            drained: false,
            weight: None,
        }
    }

    fn is_nothing(&self) -> bool {
        self.added.is_none() && !self.removed && !self.drained && self.weight.is_none()
    }
}

impl Overrides {
    /// Whether the file is all that counts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether somebody has drained a backend by hand.
    #[must_use]
    pub fn drains(&self, service: &str, backend: Endpoint) -> bool {
        self.of(service, backend).is_some_and(|known| known.drained)
    }

    /// What differs from the file, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for definition in &self.added_services {
            lines.push(format!("service {}: added", merge::name_of(definition)));
        }
        for name in &self.removed_services {
            if !self.added_services.iter().any(|definition| merge::name_of(definition) == name) {
                lines.push(format!("service {name}: removed"));
            }
        }
        for known in &self.backends {
            let mut says = |what: String| {
                lines.push(format!("service {}: backend {} {what}", known.service, known.backend));
            };
            if known.added.is_some() {
                says("added".to_owned());
            }
            if known.removed {
                says("removed".to_owned());
            }
            if let Some(weight) = known.weight {
                says(format!("weight {weight}"));
            }
            if known.drained {
                says("drained".to_owned());
            }
        }
        lines
    }

    fn of(&self, service: &str, backend: Endpoint) -> Option<&BackendOverride> {
        self.backends.iter().find(|known| known.service == service && known.backend == backend)
    }

    /// The entry of a backend, made when there is none.
    fn of_mut(&mut self, service: &str, backend: Endpoint) -> &mut BackendOverride {
        let is_it = |known: &BackendOverride| known.service == service && known.backend == backend;
        let at = self.backends.iter().position(is_it).unwrap_or_else(|| {
            self.backends.push(BackendOverride::new(service, backend));
            self.backends.len() - 1
        });
        &mut self.backends[at]
    }
}

/// A backend as people name it: `10.0.0.11`, `10.0.0.11:8080`, `2001:db8::1`, `[2001:db8::1]:8080`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// Its port, where it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// A text names no backend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a backend: write its address, and its port behind a colon if it has one, as 10.0.0.11:8080 or [2001:db8::1]:8080"
)]
pub struct NoEndpoint(String);

impl str::FromStr for Endpoint {
    type Err = NoEndpoint;

    fn from_str(text: &str) -> Result<Self, NoEndpoint> {
        if let Ok(address) = text.parse() {
            return Ok(Self { address, port: None });
        }
        if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'))
            && let Ok(address) = address.parse()
        {
            return Ok(Self { address: IpAddr::V6(address), port: None });
        }
        match text.parse::<SocketAddr>() {
            Ok(socket) if socket.port() > 0 => Ok(Self { address: socket.ip(), port: Some(socket.port()) }),
            _ => Err(NoEndpoint(text.to_owned())),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).fmt(f),
            None => self.address.fmt(f),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_false(value: &bool) -> bool {
    !value
}
