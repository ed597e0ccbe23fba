//! Whether a backend takes new flows, and whether it may keep those it has.

use std::time::SystemTime;

use crate::health::{Cause, FULL, Position, Standing, View};
use crate::hops::Reason;
use crate::model::{Backend, OnDown, Service};

/// Whether a backend takes new flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It does.
    Up,
    /// It does, with so many of [`FULL`] parts of its weight, because it has been up for a short time only.
    Starting(u8),
    /// Its weight is 0.
    Draining,
    /// Packets cannot be sent to it; `None` while its way is first looked up.
    Unresolved(Option<Reason>),
    /// It fails its checks.
    Down(Outage),
    /// It fails its checks, and takes flows all the same, because too few backends of the service do not.
    Panicking(Outage),
}

/// A backend's being down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Why.
    pub cause: Cause,
    /// Since when.
    pub since: Option<SystemTime>,
}

impl Condition {
    /// Whether it takes new flows.
    #[must_use]
    pub fn takes_flows(&self) -> bool {
        matches!(self, Self::Up | Self::Starting(_) | Self::Panicking(_))
    }

    /// Whether it keeps the flows it has, as far as this is up to its health.
    pub(super) fn keeps_flows(&self, service: &Service) -> bool {
        let moves = service.health.as_ref().is_some_and(|health| health.on_down == OnDown::Move);
        !(moves && matches!(self, Self::Down(_)))
    }

    /// Its share relative to the other backends.
    pub(super) fn weight(&self, backend: &Backend) -> u16 {
        match self {
            Self::Starting(parts) => {
                let weight = u32::from(backend.weight) * u32::from(*parts) / u32::from(FULL);
                u16::try_from(weight.max(1)).unwrap_or(backend.weight)
            }
            _ => backend.weight,
        }
    }
}

/// What health has to say of the backends of a service.
pub(super) struct Judge<'a> {
    service: &'a Service,
    view: &'a View,
    /// Whether so few are up that none is left out.
    panics: bool,
}

impl<'a> Judge<'a> {
    pub(super) fn new(service: &'a Service, view: &'a View) -> Self {
        let mut judge = Self { service, view, panics: false };
        let threshold = service.health.as_ref().map_or(0, |health| health.panic_threshold);
        let weighted = || service.backends.iter().filter(|backend| backend.weight > 0);
        let up = weighted().filter(|backend| judge.outage(backend).is_none()).count();
        // Less than the threshold, in whole numbers.
        judge.panics = up * 100 < usize::from(threshold) * weighted().count();
        judge
    }

    /// The condition of a backend; `way` is why packets cannot be sent to it, if they cannot.
    pub(super) fn condition(&self, backend: &Backend, way: Result<(), Option<Reason>>) -> Condition {
        if let Err(reason) = way {
            return Condition::Unresolved(reason);
        }
        match (self.outage(backend), backend.weight) {
            (Some(outage), 1..) if self.panics => Condition::Panicking(outage),
            (Some(outage), _) => Condition::Down(outage),
            (None, 0) => Condition::Draining,
            (None, _) => match self.standing(backend).map(|standing| &standing.position) {
                Some(Position::Up { parts }) if *parts < FULL => Condition::Starting(*parts),
                _ => Condition::Up,
            },
        }
    }

    fn standing(&self, backend: &Backend) -> Option<&Standing> {
        // Checks of a service that has none any more may not have ended yet.
        self.service.health.as_ref()?;
        self.view.standing(&self.service.name, (backend.address, backend.port))
    }

    fn outage(&self, backend: &Backend) -> Option<Outage> {
        let standing = self.standing(backend)?;
        match &standing.position {
            Position::Up { .. } => None,
            Position::Down(cause) => Some(Outage { cause: cause.clone(), since: standing.since }),
        }
    }
}
