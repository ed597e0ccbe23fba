//! Changes of the configuration while it runs: all of one, or nothing.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::StatusCode;
use lightpath_control::config::{self, LoadError, Loaded};
use lightpath_control::difference::difference;
use lightpath_control::model::{Backend, Config, Ports, Protocol, Service};
use lightpath_control::overrides::{Change, Endpoint, Merged, Overrides, Refused, StoreError, Unfit};
use tracing::warn;

use super::{Daemon, notify};
use crate::changed::Changed;
use crate::event::{About, Kind};
use crate::problem::Problem;

impl Daemon {
    /// Reads the file again and applies what is different in it. Changes made at run time stay on top of it, unless they are
    /// to be discarded.
    pub(super) async fn reload(&mut self, discard: bool, now: bool) -> Result<Changed, Problem> {
        notify::reloading();
        let reloaded = self.read_again(discard, now).await;
        notify::ready();
        if let Err(problem) = &reloaded {
            let why = if problem.problems.is_empty() {
                problem.detail.clone()
            } else {
                problem.problems.join("; ")
            };
            let message = "the configuration file is not applied; nothing is changed";
            self.events.tell(Kind::ReloadRefused, message, About::cause(why));
        }
        reloaded
    }

    async fn read_again(&mut self, discard: bool, now: bool) -> Result<Changed, Problem> {
        let loaded = match config::load(&self.file) {
            Ok(loaded) => loaded,
            Err(LoadError::Invalid(problems)) => {
                let problems = problems.iter().map(ToString::to_string).collect();
                return Err(Problem { problems, ..invalid("nothing is changed") });
            }
            Err(error) => return Err(invalid(&format!("nothing is changed: {error}"))),
        };
        let overrides = if discard { Overrides::default() } else { self.overrides.clone() };
        let changed = self.run_as(&loaded, &overrides, (Kind::Reloaded, "reloaded"), now).await?;
        self.loaded = Arc::new(loaded);
        if now {
            self.dismiss(|_, _| true).await;
        }
        Ok(changed)
    }

    /// Makes a change on top of the file. It outlives this daemon.
    pub(super) async fn change(&mut self, change: &Change, now: bool) -> Result<Changed, Problem> {
        let overrides = self.overrides.with(change, self.loaded.config(), self.reconciler.wanted())?;
        let leavers = Leavers::of(change, self.reconciler.wanted());
        let loaded = Arc::clone(&self.loaded);
        let mut changed =
            self.run_as(&loaded, &overrides, (Kind::Changed, "changed at run time"), now).await?;
        let Some(leavers) = leavers else { return Ok(changed) };
        if now {
            self.dismiss(|service, backend| leavers.are(service, backend)).await;
        } else {
            changed.flows = Some(self.flows_of(&leavers));
        }
        Ok(changed)
    }

    /// Does not wait for the flows of backends that are leaving.
    async fn dismiss(&mut self, is_meant: impl Fn(&Service, &Backend) -> bool) {
        if self.reconciler.dismiss(is_meant) {
            self.follow("backends have left at once");
            if let Err(error) = self.host.announce(self.reconciler.config(), &self.interfaces).await {
                warn!("{error:#}");
            }
        }
    }

    /// Makes a file with overrides what runs. On disk before it is applied, and in force only when it is.
    async fn run_as(
        &mut self,
        loaded: &Loaded,
        overrides: &Overrides,
        (kind, message): (Kind, &str),
        now: bool,
    ) -> Result<Changed, Problem> {
        let Merged { config, overrides, left_out } = overrides.merged(loaded)?;
        let is_new = overrides != self.overrides;
        let pending = is_new.then(|| self.store.prepare(&overrides)).transpose()?;
        let changes = difference(self.reconciler.wanted(), &config, now);
        if config == *self.reconciler.wanted() {
            self.renew_credentials()?;
        } else {
            self.adopt(config).await.map_err(|error| {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("it is not applied: {error:#}"))
            })?;
            self.has_garbage = true;
        }
        if let Some(pending) = pending {
            self.overrides = overrides;
            // What runs is what was asked for; should its record be lost, a restart goes back to the file.
            if let Err(error) = pending.take_place() {
                warn!(%error, "the change will not survive a restart");
            }
        }
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        self.events.tell(kind, message, About { changes: changes.clone(), ..About::default() });
        self.observer.look(&self.reconciler, &self.events);
        self.show();
        Ok(Changed { changes, flows: None, forgotten: left_out })
    }

    /// Certificates are renewed without a change of the configuration.
    fn renew_credentials(&mut self) -> Result<(), Problem> {
        let api = self.reconciler.config().node.api.as_ref();
        let prepared =
            self.remote.prepare(api).map_err(|error| invalid(&format!("nothing is changed: {error:#}")))?;
        self.remote.switch_to(prepared);
        Ok(())
    }

    /// Flows of these backends that are remembered.
    fn flows_of(&self, leavers: &Leavers) -> usize {
        let services = self.reconciler.config().services.iter().zip(self.reconciler.states());
        let backends = services.flat_map(|(service, state)| {
            service.backends.iter().zip(&state.backends).filter(|(backend, _)| leavers.are(service, backend))
        });
        backends.filter_map(|(_, state)| self.motion.flows_of.get(&state.number)).sum()
    }
}

/// The backends that a change lets go.
struct Leavers {
    vip: IpAddr,
    ports: Ports,
    protocol: Protocol,
    /// The only one.
    backend: Option<Endpoint>,
}

impl Leavers {
    fn of(change: &Change, config: &Config) -> Option<Self> {
        let (service, backend) = match change {
            Change::Drain { service, backend } | Change::RemoveBackend { service, backend } => {
                (service, Some(config.backend(service, *backend).ok()?.endpoint()))
            }
            Change::RemoveService { service } => (service, None),
            _ => return None,
        };
        let service = config.services.iter().find(|known| known.name == *service)?;
        Some(Self { vip: service.vip, ports: service.ports, protocol: service.protocol, backend })
    }

    /// Whether a backend is one of them. A service that leaves has lost its name.
    fn are(&self, service: &Service, backend: &Backend) -> bool {
        service.vip == self.vip
            && service.ports == self.ports
            && service.protocol == self.protocol
            && self.backend.is_none_or(|meant| backend.endpoint() == meant)
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::NoService { .. } | Refused::NoBackend { .. } => StatusCode::NOT_FOUND,
            Refused::Nameless(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refused::Ambiguous { .. } | Refused::Exists(_) | Refused::Futile(_) => StatusCode::CONFLICT,
        };
        Self::new(status, refused.to_string())
    }
}

impl From<Unfit> for Problem {
    fn from(unfit: Unfit) -> Self {
        Self { problems: unfit.problems().to_vec(), ..invalid("nothing is changed") }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = format!("nothing is changed: {error}; make room, or mend the state directory");
        Self::new(StatusCode::INSUFFICIENT_STORAGE, detail)
    }
}
