//! Backends and services that the configuration no longer has, while flows of theirs live on.
//!
//! A backend that is taken out of the file keeps its flows and gets no new ones, like one whose weight is 0, until nothing refers to
//! it any more; and a service is kept with its backends in that state. Operators take servers out by deleting a line; their users
//! should not notice. What the tables say is enough to know who is leaving, so a daemon that starts anew goes on with it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use lightpath_abi::{Forward as Mode, Role, ServiceIndex};
use lightpath_core::host::Image;
use lightpath_core::wire::TCP;

use crate::maglev;
use crate::model::{Backend, Config, Forward, Ports, Protocol, Quic, Service, Sticky, WhenEmpty};

/// A backend of a service, by name and endpoint.
pub(crate) type Leaver = (String, IpAddr, Option<u16>);

/// The configuration with those backends and services added that it no longer has and there were `before`, at weight 0; and
/// which backends these are.
pub(crate) fn keep(before: &[Service], wanted: &Config) -> (Config, BTreeSet<Leaver>) {
    let mut config = wanted.clone();
    let mut leaving = BTreeSet::new();
    let claims = Claims::of(wanted);
    let configured: HashMap<_, _> = wanted.services.iter().map(frontend).zip(0..).collect();
    for known in before {
        match configured.get(&frontend(known)).and_then(|at: &usize| config.services.get_mut(*at)) {
            Some(service) => keep_backends(known, service, &claims, &mut leaving),
            None => config.services.extend(keep_service(known, &claims, &mut leaving)),
        }
    }
    (config, leaving)
}

/// A service whose flows may go on, by a name that no configured one can have.
fn keep_service(known: &Service, claims: &Claims, leaving: &mut BTreeSet<Leaver>) -> Option<Service> {
    if claims.take_ports_of(known) {
        return None;
    }
    let name = format!("{}:{}/{}", known.vip, known.ports, known.protocol.transport());
    let mut service = Service { name, quic: None, health: None, backends: Vec::new(), ..known.clone() };
    keep_backends(known, &mut service, claims, leaving);
    for backend in &mut service.backends {
        backend.server_id = None;
    }
    (!service.backends.is_empty()).then_some(service)
}

/// Server IDs stay unless others have them now.
fn keep_backends(known: &Service, service: &mut Service, claims: &Claims, leaving: &mut BTreeSet<Leaver>) {
    let mut present: HashSet<_> = service.backends.iter().map(Backend::endpoint).collect();
    for backend in &known.backends {
        if claims.take_replies_of(service, backend) || !present.insert(backend.endpoint()) {
            continue;
        }
        leaving.insert((service.name.clone(), backend.address, backend.port));
        let server_id = backend.server_id.filter(|id| {
            known.quic == service.quic && service.backends.iter().all(|other| other.server_id != Some(*id))
        });
        service.backends.push(Backend { weight: 0, server_id, ..*backend });
    }
}

/// What two services share if flows of one can go on as flows of the other.
fn frontend(service: &Service) -> (IpAddr, (u16, u16), Protocol, Forward) {
    (service.vip, service.ports.bounds(), service.protocol.transport(), service.forward)
}

/// First and last port, and the service that has them.
type User<'a> = ((u16, u16), &'a str);

/// What the configuration needs for itself.
struct Claims<'a> {
    config: &'a Config,
    vips: HashSet<IpAddr>,
    /// Who has which ports of which backend, behind `nat`.
    translated: BTreeMap<(IpAddr, Protocol), Vec<User<'a>>>,
}

impl<'a> Claims<'a> {
    fn of(config: &'a Config) -> Self {
        let mut translated: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for service in config.services.iter().filter(|service| service.forward == Forward::Nat) {
            for backend in &service.backends {
                let key = (backend.address, service.protocol.transport());
                translated.entry(key).or_default().push((ports_on(service, backend), service.name.as_str()));
            }
        }
        let vips = config.services.iter().map(|service| service.vip).collect();
        Self { config, vips, translated }
    }

    /// Whether new flows to some of the ports belong to another service by now. A more specific one has had its own before.
    fn take_ports_of(&self, known: &Service) -> bool {
        let (first, last) = known.ports.bounds();
        self.config.services.iter().any(|service| {
            let (from, to) = service.ports.bounds();
            service.vip == known.vip
                && service.protocol.transport() == known.protocol.transport()
                && from <= last
                && first <= to
                && service.ports.specificity() <= known.ports.specificity()
        })
    }

    /// With `nat`, a backend's replies can be told for one service only; and a VIP is no backend.
    fn take_replies_of(&self, service: &Service, backend: &Backend) -> bool {
        let (first, last) = ports_on(service, backend);
        let users = self.translated.get(&(backend.address, service.protocol.transport()));
        let is_used = users
            .into_iter()
            .flatten()
            .any(|((from, to), user)| *user != service.name && *from <= last && first <= *to);
        self.vips.contains(&backend.address) || service.forward == Forward::Nat && is_used
    }
}

/// The ports that packets have on a backend.
fn ports_on(service: &Service, backend: &Backend) -> (u16, u16) {
    backend.port.map_or(service.ports, Ports::One).bounds()
}

/// The services that the running tables balance, as far as flows depend on it. They are named by nobody.
pub(crate) fn of_running(image: &Image) -> Vec<Service> {
    let mut services: BTreeMap<ServiceIndex, Service> = BTreeMap::new();
    for line in image.entries.iter().filter(|line| line.tag.role() == Some(Role::Service)) {
        let (first, last) = line.tag.ports();
        let slots = line.slots.count();
        let Some(forward) = forward(line.forward).filter(|_| maglev::is_size(slots)) else { continue };
        let service = services.entry(line.service).or_insert_with(|| Service {
            name: String::new(),
            vip: line.address.to_ip(),
            ports: ports(first, last),
            protocol: protocol(line.tag.protocol(), line.server_id_length),
            forward,
            sticky: if line.sticky == 0 { Sticky::None } else { Sticky::SourceIp },
            slots,
            when_empty: if line.refuses == 0 { WhenEmpty::Drop } else { WhenEmpty::Reject },
            health: None,
            quic: (line.server_id_length != 0)
                .then_some(Quic { server_id_length: line.server_id_length, config_id: line.config_id }),
            backends: Vec::new(),
        });
        let known = service.ports.bounds();
        service.ports = ports(known.0.min(first), known.1.max(last));
    }
    for backend in image.backends.values().filter(|backend| backend.serving != 0) {
        let Some(service) = services.get_mut(&backend.service) else { continue };
        service.backends.push(Backend {
            address: backend.address.to_ip(),
            port: service.ports.single().map(|_| backend.port),
            weight: 0,
            server_id: None,
        });
    }
    services.into_values().collect()
}

fn forward(mode: u8) -> Option<Forward> {
    let modes = [
        (Mode::Nat, Forward::Nat),
        (Mode::Dsr, Forward::Dsr),
        (Mode::Ipip, Forward::Ipip),
        (Mode::Gue, Forward::Gue),
        (Mode::FullNat, Forward::FullNat),
    ];
    modes.into_iter().find(|(known, _)| *known as u8 == mode).map(|(_, forward)| forward)
}

fn ports(first: u16, last: u16) -> Ports {
    match (first, last) {
        (0, _) => Ports::Any,
        (first, last) if first == last => Ports::One(first),
        (first, last) => Ports::Range(first, last),
    }
}

fn protocol(number: u8, server_id_length: u8) -> Protocol {
    match number {
        TCP => Protocol::Tcp,
        _ if server_id_length != 0 => Protocol::Quic,
        _ => Protocol::Udp,
    }
}
