//! What became of backends and services from one look at them to the next: what an operator wants to be told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::net::SocketAddr;

use lightpath_abi::BackendNumber;

use crate::health::Server;
use crate::model::{Service, WhenEmpty};
use crate::reconcile::{Condition, Reconciler, ServiceState};

/// How every service is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standings {
    services: BTreeMap<String, ServiceStanding>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ServiceStanding {
    /// Whether it is configured; one that is not has nobody who takes flows, and is to have nobody.
    is_wanted: bool,
    when_empty: WhenEmpty,
    backends: BTreeMap<Server, BackendStanding>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct BackendStanding {
    number: BackendNumber,
    condition: Condition,
    /// Whether it is to get no new flows, however it is: its weight is 0, or it is not configured any more.
    is_drained: bool,
}

/// What happened to a service, or to one of its backends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The service's name.
    pub service: String,
    /// The backend; `None` where it is about the service.
    pub backend: Option<Server>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A backend fails its checks.
    Down {
        /// Why.
        cause: String,
    },
    /// It passes them again.
    Up,
    /// Packets cannot be sent to a backend, or for another reason than before.
    HopLost {
        /// Why.
        cause: String,
    },
    /// They can again.
    HopFound,
    /// A backend is to get no new flows.
    DrainBegan,
    /// So few backends are up that those which are down are used too.
    PanicBegan,
    /// Enough are.
    PanicEnded,
    /// No backend takes flows.
    Emptied {
        /// What becomes of packets.
        packets: WhenEmpty,
    },
    /// One does again.
    Filled,
}

/// A backend that is being drained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drained {
    /// The service's name.
    pub service: String,
    /// The backend.
    pub backend: Server,
}

impl Standings {
    /// How things are as they were last applied.
    #[must_use]
    pub fn of(reconciler: &Reconciler) -> Self {
        let wanted: BTreeSet<&str> =
            reconciler.wanted().services.iter().map(|service| service.name.as_str()).collect();
        let services = reconciler.config().services.iter().zip(reconciler.states());
        let of_service = |(service, state): (&Service, &ServiceState)| {
            let backends = service.backends.iter().zip(&state.backends).map(|(backend, state)| {
                let standing = BackendStanding {
                    number: state.number,
                    condition: state.condition.clone(),
                    is_drained: backend.weight == 0 || reconciler.is_leaving(service, backend),
                };
                ((backend.address, backend.port), standing)
            });
            let standing = ServiceStanding {
                is_wanted: wanted.contains(service.name.as_str()),
                when_empty: service.when_empty,
                backends: backends.collect(),
            };
            (service.name.clone(), standing)
        };
        Self { services: services.map(of_service).collect() }
    }

    /// What happened since an earlier look. Of what was not there then, only what is wrong with it.
    #[must_use]
    pub fn since(&self, before: &Self) -> Vec<Transition> {
        let mut happened = Vec::new();
        // By number: a service that is taken out goes on under another name until its flows have ended.
        let were_drained: BTreeMap<BackendNumber, bool> =
            before.backends().map(|(_, _, standing)| (standing.number, standing.is_drained)).collect();
        for (name, service) in &self.services {
            let earlier = before.services.get(name);
            let mut tell = |backend, what| happened.push(Transition { service: name.clone(), backend, what });
            for (server, standing) in &service.backends {
                if standing.is_drained && were_drained.get(&standing.number) == Some(&false) {
                    tell(Some(*server), What::DrainBegan);
                }
                let earlier = earlier.and_then(|service| service.backends.get(server));
                let earlier = earlier.map(|earlier| &earlier.condition);
                for what in since(earlier, &standing.condition) {
                    tell(Some(*server), what);
                }
            }
            match (earlier.is_some_and(ServiceStanding::panics), service.panics()) {
                (false, true) => tell(None, What::PanicBegan),
                (true, false) => tell(None, What::PanicEnded),
                _ => {}
            }
            match (earlier.is_some_and(ServiceStanding::is_empty), service.is_empty()) {
                (false, true) => tell(None, What::Emptied { packets: service.when_empty }),
                (true, false) => tell(None, What::Filled),
                _ => {}
            }
        }
        happened
    }

    /// The backends that get no new flows, and may have some left, by their number in the packet path.
    #[must_use]
    pub fn drained(&self) -> BTreeMap<BackendNumber, Drained> {
        let drained = self.backends().filter(|(_, _, standing)| standing.is_drained);
        let named = drained.map(|(service, backend, standing)| {
            (standing.number, Drained { service: service.to_owned(), backend })
        });
        named.collect()
    }

    /// Whether a number is that of a backend.
    #[must_use]
    pub fn has(&self, number: BackendNumber) -> bool {
        self.backends().any(|(_, _, standing)| standing.number == number)
    }

    fn backends(&self) -> impl Iterator<Item = (&str, Server, &BackendStanding)> {
        self.services.iter().flat_map(|(name, service)| {
            service.backends.iter().map(move |(server, standing)| (name.as_str(), *server, standing))
        })
    }
}

impl ServiceStanding {
    fn panics(&self) -> bool {
        self.backends.values().any(|standing| matches!(standing.condition, Condition::Panicking(_)))
    }

    fn is_empty(&self) -> bool {
        self.is_wanted && !self.backends.values().any(|standing| standing.condition.takes_flows())
    }
}

/// What happened to a backend's condition.
fn since(before: Option<&Condition>, now: &Condition) -> Vec<What> {
    let mut happened = Vec::new();
    let was_lost = matches!(before, Some(Condition::Unresolved(_)));
    let was_down = matches!(before, Some(Condition::Down(_) | Condition::Panicking(_)));
    match now {
        Condition::Unresolved(reason) if before != Some(now) => {
            let cause = reason.as_ref().map_or_else(|| "no next hop yet".to_owned(), ToString::to_string);
            happened.push(What::HopLost { cause });
        }
        Condition::Unresolved(_) => {}
        _ if was_lost => happened.push(What::HopFound),
        _ => {}
    }
    match now {
        Condition::Down(outage) | Condition::Panicking(outage) if !was_down => {
            happened.push(What::Down { cause: outage.cause.to_string() });
        }
        Condition::Up | Condition::Starting(_) | Condition::Draining if was_down => happened.push(What::Up),
        _ => {}
    }
    happened
}

/// A backend, as commands and labels name it: without a port where the client's is kept.
#[must_use]
pub fn endpoint((address, port): Server) -> impl Display {
    fmt::from_fn(move |f| match port {
        Some(port) => SocketAddr::new(address, port).fmt(f),
        None => address.fmt(f),
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::health::Cause;
    use crate::hops::Reason;
    use crate::reconcile::Outage;

    const FAILED: Condition = Condition::Down(Outage { cause: Cause::Refused, since: None });
    const PANICS: Condition = Condition::Panicking(Outage { cause: Cause::Refused, since: None });
    const LOST: Condition = Condition::Unresolved(None);

    fn server(host: u8) -> Server {
        (Ipv4Addr::new(10, 0, 0, host).into(), Some(80))
    }

    /// A service `web` whose backends are in these conditions; those that are drained are numbered.
    fn standings(conditions: &[Condition], drained: &[u8]) -> Standings {
        let standing = |(host, condition): (u8, &Condition)| {
            let is_drained = drained.contains(&host);
            let number = BackendNumber::from(host);
            (server(host), BackendStanding { number, condition: condition.clone(), is_drained })
        };
        let backends = (1..).zip(conditions).map(standing).collect();
        let web = ServiceStanding { is_wanted: true, when_empty: WhenEmpty::Reject, backends };
        Standings { services: BTreeMap::from([("web".to_owned(), web)]) }
    }

    fn told(before: &Standings, after: &Standings) -> Vec<String> {
        let words = |transition: Transition| {
            assert_eq!(transition.service, "web");
            let backend = transition.backend.map(|server| format!("{} ", endpoint(server)));
            format!("{}{:?}", backend.unwrap_or_default(), transition.what)
        };
        after.since(before).into_iter().map(words).collect()
    }

    #[test]
    fn what_happened_is_told_once() {
        use Condition::{Draining, Starting, Up};
        let unreachable = Condition::Unresolved(Some(Reason::NoRoute));
        let down = "10.0.0.1:80 Down { cause: \"connection refused\" }";
        let lost = format!("10.0.0.1:80 HopLost {{ cause: {:?} }}", Reason::NoRoute.to_string());
        for (before, after, expected) in [
            ([Up, Up], [Up, Up], &[][..]),
            ([Up, Up], [FAILED, Up], &[down]),
            ([FAILED, Up], [FAILED, Up], &[]),
            ([FAILED, Up], [Starting(1), Up], &["10.0.0.1:80 Up"]),
            ([Starting(1), Up], [Up, Up], &[]),
            ([FAILED, Up], [LOST, Up], &["10.0.0.1:80 HopLost { cause: \"no next hop yet\" }"]),
            ([LOST, Up], [unreachable.clone(), Up], &[&lost]),
            ([unreachable.clone(), Up], [Up, Up], &["10.0.0.1:80 HopFound"]),
            ([unreachable, Up], [FAILED, Up], &["10.0.0.1:80 HopFound", down]),
            ([FAILED, Up], [PANICS, Up], &["PanicBegan"]),
            ([PANICS, Up], [Up, Up], &["10.0.0.1:80 Up", "PanicEnded"]),
            ([Up, FAILED], [FAILED, FAILED], &[down, "Emptied { packets: Reject }"]),
            ([FAILED, Draining], [Up, Draining], &["10.0.0.1:80 Up", "Filled"]),
        ] {
            assert_eq!(
                told(&standings(&before, &[]), &standings(&after, &[])),
                expected,
                "{before:?} {after:?}"
            );
        }
    }

    #[test]
    fn of_what_is_new_only_what_is_wrong_is_told() {
        let nothing = Standings::default();
        assert!(told(&nothing, &standings(&[Condition::Up, Condition::Draining], &[2])).is_empty());
        let wrong = told(&nothing, &standings(&[FAILED, LOST], &[]));
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert_eq!(wrong[2], "Emptied { packets: Reject }");
    }

    #[test]
    fn a_service_that_leaves_is_not_missed() {
        let mut leaving = standings(&[Condition::Draining], &[1]);
        leaving.services.get_mut("web").unwrap().is_wanted = false;
        assert!(told(&Standings::default(), &leaving).is_empty());
    }

    #[test]
    fn a_drain_begins_whatever_else_is_the_matter() {
        let before = standings(&[Condition::Up, FAILED], &[]);
        let after = standings(&[Condition::Draining, FAILED], &[1, 2]);
        let began = ["10.0.0.1:80 DrainBegan", "10.0.0.2:80 DrainBegan", "Emptied { packets: Reject }"];
        assert_eq!(told(&before, &after), began);
        assert!(after.drained().into_keys().eq([1, 2]) && after.has(2) && !after.has(3));
    }
}
