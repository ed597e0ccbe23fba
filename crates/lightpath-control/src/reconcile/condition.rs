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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::parse;
    use crate::health::{LastCheck, Server};

    /// A service of backends with these weights, whose `[service.health]` has further keys.
    fn service(health: &str, weights: &[u16]) -> Service {
        let backend = |(host, weight): (usize, &u16)| {
            format!("[[service.backend]]\naddress = \"10.0.0.{}\"\nweight = {weight}\n", host + 1)
        };
        let backends: String = weights.iter().enumerate().map(backend).collect();
        let text = format!(
            "[node]\ninterfaces = [\"eth0\"]\n[[service]]\nname = \"web\"\nvip = \"203.0.113.10\"\nport = 80\n\
             protocol = \"tcp\"\n[service.health]\ntype = \"tcp\"\n{health}\n{backends}"
        );
        parse(&text, "f.toml").unwrap().services.remove(0)
    }

    /// What is known when these backends are down, and the others up.
    fn view(service: &Service, down: &[usize]) -> View {
        let standing = |(index, backend): (usize, &Backend)| -> (Server, Standing) {
            let position = if down.contains(&index) {
                Position::Down(Cause::Refused)
            } else {
                Position::Up { parts: FULL }
            };
            (
                (backend.address, backend.port),
                Standing { position, since: None, downs: Arc::default(), last: LastCheck::default() },
            )
        };
        View::of_service(&service.name, service.backends.iter().enumerate().map(standing).collect())
    }

    /// The condition of each backend: up, down, in panic, draining.
    fn conditions(service: &Service, view: &View) -> String {
        let judge = Judge::new(service, view);
        let of = |backend| match judge.condition(backend, Ok(())) {
            Condition::Up => 'u',
            Condition::Down(_) => 'd',
            Condition::Panicking(_) => 'p',
            Condition::Draining => '0',
            other => panic!("{other:?}"),
        };
        service.backends.iter().map(of).collect()
    }

    #[test]
    fn while_too_few_are_up_none_is_left_out() {
        let weights = [1, 1, 1, 1, 1, 0];
        for (threshold, down, expected) in [
            ("0%", &[][..], "uuuuu0"),
            ("0%", &[0, 1, 2, 3, 4], "ddddd0"),
            ("40%", &[0, 1, 2], "ddduu0"),
            ("41%", &[0, 1, 2], "pppuu0"),
            ("100%", &[4], "uuuup0"),
            // One without a weight neither counts nor is used.
            ("1%", &[0, 1, 2, 3, 4, 5], "pppppd"),
            ("100%", &[5], "uuuuud"),
        ] {
            let service = service(&format!("panic_threshold = \"{threshold}\""), &weights);
            assert_eq!(conditions(&service, &view(&service, down)), expected, "{threshold} {down:?}");
        }
    }

    #[test]
    fn what_is_not_checked_is_up_and_what_cannot_be_reached_is_not_down() {
        let checked = service("", &[1, 1]);
        assert_eq!(conditions(&checked, &View::default()), "uu");
        let view = view(&checked, &[0]);
        let unchecked = Service { health: None, ..checked.clone() };
        assert_eq!(conditions(&unchecked, &view), "uu", "the last of its checks may still be told");
        let judge = Judge::new(&checked, &view);
        let unresolved = judge.condition(&checked.backends[0], Err(None));
        assert_eq!(unresolved, Condition::Unresolved(None), "that is where to look first");
    }

    #[test]
    fn only_a_backend_that_is_down_loses_its_flows_and_only_if_they_are_to_move() {
        let down = Condition::Down(Outage { cause: Cause::Refused, since: None });
        let (moving, keeping) = (service("", &[1]), service("on_down = \"keep\"", &[1]));
        assert!(!down.keeps_flows(&moving) && down.keeps_flows(&keeping));
        assert!(!down.takes_flows());
        let panicking = Condition::Panicking(Outage { cause: Cause::Refused, since: None });
        for condition in [Condition::Up, Condition::Draining, Condition::Starting(1), panicking] {
            assert!(condition.keeps_flows(&moving), "{condition:?}");
            assert_eq!(condition.takes_flows(), condition != Condition::Draining);
        }
    }

    #[test]
    fn a_share_that_grows_is_never_nothing() {
        let weight = |weight, parts| {
            let service = service("", &[weight]);
            Condition::Starting(parts).weight(&service.backends[0])
        };
        assert_eq!((weight(100, 1), weight(100, 5), weight(3, 5), weight(1, 1)), (10, 50, 1, 1));
        assert_eq!(weight(65_535, 9), 58_981);
    }
}
