//! One change, and whether it can be made.

use serde_json::Value as Json;

use super::merge::name_of;
use super::{BackendOverride, Definition, Endpoint, Overrides};
use crate::config::closest;
use crate::model::{Backend, Config, Service};

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A service, by the keys of `[[service]]`.
    AddService(Definition),
    /// Takes a service out.
    RemoveService {
        /// Its name.
        service: String,
    },
    /// A backend, by the keys of `[[service.backend]]`.
    AddBackend {
        /// The service that gets it.
        service: String,
        /// Its keys.
        definition: Definition,
    },
    /// Takes a backend out.
    RemoveBackend {
        /// Its service.
        service: String,
        /// The backend.
        backend: Endpoint,
    },
    /// Gives a backend no new flows.
    Drain {
        /// Its service.
        service: String,
        /// The backend.
        backend: Endpoint,
    },
    /// Ends a drain.
    Enable {
        /// Its service.
        service: String,
        /// The backend.
        backend: Endpoint,
    },
    /// Gives a backend another weight.
    Weight {
        /// Its service.
        service: String,
        /// The backend.
        backend: Endpoint,
        /// The weight.
        weight: u16,
    },
}

/// Why a change cannot be made. Nothing is different after it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such service.
    #[error("there is no service {name:?}; {hint}")]
    NoService {
        /// The name that was given.
        name: String,
        /// What to do.
        hint: String,
    },
    /// The service has no such backend.
    #[error("service {service:?} has no backend {backend}; its backends are {known}")]
    NoBackend {
        /// The service.
        service: String,
        /// The backend that was given.
        backend: Endpoint,
        /// Those that there are.
        known: String,
    },
    /// Several backends are meant.
    #[error("{backend} is several backends of service {service:?}; name the port of one: {known}")]
    Ambiguous {
        /// The service.
        service: String,
        /// The backend that was given.
        backend: Endpoint,
        /// Those that it may be.
        known: String,
    },
    /// What is to be added does not say who it is.
    #[error("{0}")]
    Nameless(String),
    /// It is there already.
    #[error("{0}")]
    Exists(String),
    /// It would not do anything.
    #[error("{0}")]
    Futile(String),
}

impl Overrides {
    /// With a change made. `file` is what the file says alone, `running` with the changes so far.
    pub fn with(&self, change: &Change, file: &Config, running: &Config) -> Result<Self, Refused> {
        let mut next = self.clone();
        match change {
            Change::AddService(definition) => next.add_service(definition, running)?,
            Change::RemoveService { service } => {
                let name = &service_of(running, service)?.name;
                next.added_services.retain(|definition| name_of(definition) != name);
                next.backends.retain(|known| known.service != *name);
                if file.services.iter().any(|known| known.name == *name) {
                    next.removed_services.insert(name.clone());
                }
            }
            Change::AddBackend { service, definition } => {
                next.add_backend(service_of(running, service)?, definition)?;
            }
            Change::RemoveBackend { service, backend } => {
                let (service, backend) = backend_of(running, service, *backend)?;
                let known = next.of_mut(&service.name, backend.endpoint());
                let was_added = known.added.is_some();
                *known = BackendOverride::new(&service.name, backend.endpoint());
                known.removed = !was_added;
            }
            Change::Drain { service, backend } => {
                let (service, backend) = backend_of(running, service, *backend)?;
                next.of_mut(&service.name, backend.endpoint()).drained = true;
            }
            Change::Enable { service, backend } => {
                let (service, backend) = backend_of(running, service, *backend)?;
                let known = next.of_mut(&service.name, backend.endpoint());
                if !known.drained && backend.weight == 0 {
                    return Err(Refused::Futile(format!(
                        "backend {} of service {:?} is not drained, its weight is 0: give it one with `backend weight`",
                        backend.endpoint(),
                        service.name
                    )));
                }
                known.drained = false;
            }
            Change::Weight { service, backend, weight } => {
                let (service, backend) = backend_of(running, service, *backend)?;
                let of_file = of_file(file, service, backend).map(|backend| backend.weight);
                let known = next.of_mut(&service.name, backend.endpoint());
                known.weight = Some(*weight).filter(|weight| of_file != Some(*weight));
            }
        }
        next.backends.retain(|known| !known.is_nothing());
        Ok(next)
    }

    fn add_service(&mut self, definition: &Definition, running: &Config) -> Result<(), Refused> {
        let name = name_of(definition);
        if name.is_empty() {
            let problem = "the new service has no name; write one under \"name\"";
            return Err(Refused::Nameless(problem.to_owned()));
        }
        if running.services.iter().any(|service| service.name == name) {
            return Err(Refused::Exists(format!("there is a service {name:?} already; remove it first")));
        }
        self.added_services.push(definition.clone());
        Ok(())
    }

    fn add_backend(&mut self, service: &Service, definition: &Definition) -> Result<(), Refused> {
        let written = definition.get("address").and_then(Json::as_str).unwrap_or_default();
        let Ok(address) = written.parse() else {
            let problem = "the new backend has no address; write an IPv4 or IPv6 address under \"address\"";
            return Err(Refused::Nameless(problem.to_owned()));
        };
        let port = definition.get("port").and_then(Json::as_u64).and_then(|port| u16::try_from(port).ok());
        // Where the service keeps ports, one that is written is refused when it is read.
        let backend = Endpoint { address, port: service.ports.single().map(|own| port.unwrap_or(own)) };
        if service.backends.iter().any(|known| known.endpoint() == backend) {
            return Err(Refused::Exists(format!(
                "service {:?} has the backend {backend} already; `backend weight` and `backend enable` change it",
                service.name
            )));
        }
        let known = self.of_mut(&service.name, backend);
        // One that was taken out comes back as it is asked for now, not as it was.
        known.added = Some(definition.clone());
        Ok(())
    }
}

impl Backend {
    /// How it is named within its service.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint { address: self.address, port: self.port }
    }
}

impl Config {
    /// The backend of a service that somebody means, who need not name its port where only one has the address.
    pub fn backend(&self, service: &str, backend: Endpoint) -> Result<&Backend, Refused> {
        backend_of(self, service, backend).map(|(_, backend)| backend)
    }
}

fn of_file<'a>(file: &'a Config, service: &Service, backend: &Backend) -> Option<&'a Backend> {
    let service = file.services.iter().find(|known| known.name == service.name)?;
    service.backends.iter().find(|known| known.endpoint() == backend.endpoint())
}

fn service_of<'a>(config: &'a Config, name: &str) -> Result<&'a Service, Refused> {
    config.services.iter().find(|service| service.name == name).ok_or_else(|| {
        let names = || config.services.iter().map(|service| service.name.as_str());
        let hint = match closest(name, names()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None if config.services.is_empty() => "there is none at all".to_owned(),
            None => format!("the services are {}", listed(names().map(str::to_owned))),
        };
        Refused::NoService { name: name.to_owned(), hint }
    })
}

fn backend_of<'a>(
    config: &'a Config,
    service: &str,
    backend: Endpoint,
) -> Result<(&'a Service, &'a Backend), Refused> {
    let service = service_of(config, service)?;
    let is_meant = |known: &&Backend| {
        known.address == backend.address && backend.port.is_none_or(|port| known.port == Some(port))
    };
    let meant: Vec<&Backend> = service.backends.iter().filter(is_meant).collect();
    let names = |backends: &mut dyn Iterator<Item = &Backend>| {
        listed(backends.map(|backend| backend.endpoint().to_string()))
    };
    match *meant.as_slice() {
        [one] => Ok((service, one)),
        [] => Err(Refused::NoBackend {
            service: service.name.clone(),
            backend,
            known: names(&mut service.backends.iter()),
        }),
        _ => Err(Refused::Ambiguous {
            service: service.name.clone(),
            backend,
            known: names(&mut meant.into_iter()),
        }),
    }
}

/// The first few of many names.
fn listed(names: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 8;
    let names: Vec<String> = names.collect();
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{shown} and {more} more"),
        _ if names.is_empty() => "none".to_owned(),
        _ => shown,
    }
}
