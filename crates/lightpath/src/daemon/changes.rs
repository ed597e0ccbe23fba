//! Changes of the configuration while it runs: all of one, or nothing.

use std::sync::Arc;

use hyper::StatusCode;
use lightpath_control::config::{self, LoadError, Loaded};
use lightpath_control::difference::difference;
use lightpath_control::overrides::{Change, Endpoint, Merged, Overrides, Refused, StoreError, Unfit};
use lightpath_dataplane::release_memory;
use tracing::{info, warn};

use super::Daemon;
use super::backends::log_unresolved;
use crate::changed::Changed;
use crate::problem::Problem;

impl Daemon {
    /// Reads the file again and applies what is different in it. Changes made at run time stay on top of it, unless they are
    /// to be discarded.
    pub(super) async fn reload(&mut self, discard: bool) -> Result<Changed, Problem> {
        let loaded = match config::load(&self.file) {
            Ok(loaded) => loaded,
            Err(LoadError::Invalid(problems)) => {
                let problems = problems.iter().map(ToString::to_string).collect();
                return Err(Problem { problems, ..invalid("nothing is changed") });
            }
            Err(error) => return Err(invalid(&format!("nothing is changed: {error}"))),
        };
        let overrides = if discard { Overrides::default() } else { self.overrides.clone() };
        let changed = self.run_as(&loaded, &overrides).await?;
        self.loaded = Arc::new(loaded);
        Ok(changed)
    }

    /// Makes a change on top of the file. It outlives this daemon.
    pub(super) async fn change(&mut self, change: &Change, now: bool) -> Result<Changed, Problem> {
        let overrides = self.overrides.with(change, self.loaded.config(), self.reconciler.wanted())?;
        let leaver = leaver(change, self);
        let loaded = Arc::clone(&self.loaded);
        let mut changed = self.run_as(&loaded, &overrides).await?;
        match leaver {
            Some((service, backend)) if now => {
                if self.reconciler.dismiss(&service, backend) {
                    self.follow("a backend has left at once");
                }
            }
            Some((service, backend)) => changed.flows = self.flows_of(&service, backend),
            None => {}
        }
        Ok(changed)
    }

    /// Makes a file with overrides what runs. On disk before it is applied, and in force only when it is.
    async fn run_as(&mut self, loaded: &Loaded, overrides: &Overrides) -> Result<Changed, Problem> {
        let Merged { config, overrides, left_out } = overrides.merged(loaded)?;
        let is_new = overrides != self.overrides;
        let pending = is_new.then(|| self.store.prepare(&overrides)).transpose()?;
        let changes = difference(self.reconciler.wanted(), &config);
        if config != *self.reconciler.wanted() {
            self.adopt(config).await.map_err(|error| {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("it is not applied: {error:#}"))
            })?;
            for change in &changes {
                info!("{change}");
            }
            log_unresolved(&self.reconciler);
            release_memory();
        }
        if let Some(pending) = pending {
            self.overrides = overrides;
            // What runs is what was asked for; should its record be lost, a restart goes back to the file.
            if let Err(error) = pending.take_place() {
                warn!(%error, "the change will not survive a restart");
            }
        }
        Ok(Changed { changes: changes.iter().map(ToString::to_string).collect(), flows: None, forgotten: left_out })
    }

    /// Flows of a backend that are remembered.
    fn flows_of(&self, service: &str, backend: Endpoint) -> Option<usize> {
        let services = self.reconciler.config().services.iter().zip(self.reconciler.states());
        let (service, state) = services.into_iter().find(|(known, _)| known.name == service)?;
        let backends = service.backends.iter().zip(&state.backends);
        let (_, state) = backends.into_iter().find(|(known, _)| known.endpoint() == backend)?;
        Some(self.motion.flows_of.get(&state.number).copied().unwrap_or(0))
    }
}

/// The one backend that a change lets go.
fn leaver(change: &Change, daemon: &Daemon) -> Option<(String, Endpoint)> {
    match change {
        Change::Drain { service, backend } | Change::RemoveBackend { service, backend } => {
            let found = daemon.reconciler.wanted().backend(service, *backend).ok()?;
            Some((service.clone(), found.endpoint()))
        }
        _ => None,
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
