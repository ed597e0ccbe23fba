use std::collections::BTreeSet;

use lightpath_control::config::{Diagnostics, MAX_BACKENDS, MIN_SLOTS_PER_BACKEND, parse};
use lightpath_control::model::{Backend, Config, Forward, Ports, Protocol, Service, Via};

/// The name under which a text is read.
const FILE: &str = "any.toml";

/// Reads a configuration file.
///
/// - It is a configuration, or there are mistakes, each of which points into the text, names what is wrong and says what to
///   write, on one line. Reading it twice comes to the same.
/// - A configuration holds what its types promise in their documentation.
/// - How it is laid out does not matter: written anew by a TOML library, without its comments and with its keys in another order,
///   it is the same configuration.
pub fn configuration(text: &str) -> Result<Config, Diagnostics> {
    let read = parse(text, FILE);
    assert_eq!(parse(text, FILE), read);
    match &read {
        Ok(config) => {
            is_consistent(config);
            let table: toml::Table = toml::from_str(text).expect("a configuration is TOML");
            let written = toml::to_string(&table).expect("what was TOML is TOML again");
            assert_eq!(parse(&written, FILE), read, "written anew as\n{written}");
        }
        Err(mistakes) => point_into(text, mistakes),
    }
    read
}

fn point_into(text: &str, mistakes: &Diagnostics) {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut last = (0, 0);
    for mistake in mistakes {
        let place = (mistake.line, mistake.column);
        let line = mistake.line.checked_sub(1).and_then(|index| lines.get(index));
        let line = line.unwrap_or_else(|| panic!("there is no such line: {mistake}"));
        assert!((1..=line.chars().count() + 1).contains(&mistake.column), "no such column: {mistake}");
        assert!(place >= last, "not in the order of the file: {mistakes}");
        last = place;
        assert_eq!(mistake.file, FILE);
        assert!(!mistake.problem.is_empty() && !mistake.help.is_empty(), "{mistake}");
        assert!(!mistake.to_string().chars().any(char::is_control), "not on one line: {mistake}");
    }
    assert_ne!(last, (0, 0), "refused without a reason");
}

fn is_consistent(config: &Config) {
    let Config { node, services } = config;
    assert!(!node.interfaces.is_empty() && are_unique(&node.interfaces), "{node:?}");
    assert!(are_unique(services.iter().map(|service| &service.name)), "{services:?}");
    // Of two services that a packet matches, one has to be narrower than the other.
    let specificity = |ports: Ports| (ports == Ports::Any, ports.single().is_some());
    let ways = services.iter().map(|service| {
        ((service.vip, service.protocol.transport(), specificity(service.ports)), service.ports.bounds())
    });
    assert!(are_disjoint(ways), "{services:?}");
    // One of these is chosen for each flow, so none may be another's.
    for prefixes in [&node.tunnel_sources, &node.snat_addresses] {
        assert!(prefixes.iter().all(|prefix| prefix.addr() == prefix.network()), "{node:?}");
        let is_within = |address| prefixes.iter().any(|prefix| prefix.contains(&address));
        let backends = services.iter().flat_map(|service| &service.backends);
        assert!(!backends.into_iter().any(|backend| is_within(backend.address)), "{config:?}");
        let others = |place: usize| prefixes.iter().enumerate().filter(move |(other, _)| *other != place);
        let contains = |place, prefix| others(place).any(|(_, other)| other.contains(prefix));
        assert!(!prefixes.iter().enumerate().any(|(place, prefix)| contains(place, prefix)), "{node:?}");
    }
    let vips: BTreeSet<_> = services.iter().map(|service| service.vip).collect();
    let backends: Vec<_> = services.iter().flat_map(|service| &service.backends).collect();
    assert!(backends.len() <= MAX_BACKENDS);
    assert!(backends.iter().all(|backend| !vips.contains(&backend.address)), "{services:?}");
    for service in services {
        service_is_consistent(service);
    }
    // By address, port and protocol a reply has to name its service.
    let replies = services.iter().filter(|service| service.forward == Forward::Nat).flat_map(|service| {
        service.backends.iter().map(|backend| {
            let ports = backend.port.map_or(service.ports, Ports::One);
            ((backend.address, service.protocol.transport()), ports.bounds())
        })
    });
    assert!(are_disjoint(replies), "{services:?}");
}

fn service_is_consistent(service: &Service) {
    let Service { name, ports, slots, backends, .. } = service;
    assert!(!name.is_empty());
    match *ports {
        Ports::One(port) => assert_ne!(port, 0, "{service:?}"),
        Ports::Range(first, last) => assert!(0 < first && first < last, "{service:?}"),
        Ports::Any => {}
    }
    let divides = |divisor: &u32| slots.is_multiple_of(*divisor);
    assert!(*slots > 1 && !(2..=slots.isqrt()).any(|divisor| divides(&divisor)), "not a prime: {slots}");
    let weighted = backends.iter().filter(|backend| backend.weight > 0).count() as u64;
    assert!(u64::from(*slots) >= weighted * u64::from(MIN_SLOTS_PER_BACKEND), "{service:?}");
    assert!(are_unique(backends.iter().map(|backend| (backend.address, backend.port))), "{service:?}");
    if let Some(quic) = service.quic {
        assert!(service.protocol == Protocol::Quic && quic.config_id <= 6, "{service:?}");
        assert!((1..=15).contains(&quic.server_id_length), "{service:?}");
        assert!(are_unique(backends.iter().map(|backend| backend.server_id)), "{service:?}");
    }
    if let Some(health) = &service.health {
        assert!(health.timeout <= health.interval && health.rise > 0 && health.fall > 0, "{service:?}");
        assert!(health.port.is_some() || ports.single().is_some() || !health.check.has_port(), "{service:?}");
        let has_vip = matches!(service.forward, Forward::Dsr | Forward::Ipip | Forward::Gue);
        assert!(health.via == Via::Direct || has_vip && health.check.has_port(), "{service:?}");
    }
    for backend in backends {
        assert!(can_be_reached(backend, service), "{service:?}");
        let id_length = backend.server_id.map(|id| id.as_bytes().len());
        assert_eq!(id_length, service.quic.map(|quic| usize::from(quic.server_id_length)), "{service:?}");
        assert_eq!(backend.port.is_some(), ports.single().is_some(), "{service:?}");
        assert_ne!(backend.port, Some(0), "{service:?}");
    }
}

/// Whether the way to forward leads from the VIP's family to the backend's.
fn can_be_reached(backend: &Backend, service: &Service) -> bool {
    let same = backend.address.is_ipv4() == service.vip.is_ipv4();
    match service.forward {
        Forward::Nat | Forward::Dsr => same,
        Forward::Ipip | Forward::Gue => true,
        Forward::FullNat => same || backend.address.is_ipv4(),
    }
}

fn are_unique<T: Ord>(values: impl IntoIterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    values.into_iter().all(|value| seen.insert(value))
}

/// Whether no two ranges of ports of the same thing have a port in common.
fn are_disjoint<T: Ord>(ranges: impl IntoIterator<Item = (T, (u16, u16))>) -> bool {
    let mut ranges: Vec<_> = ranges.into_iter().collect();
    ranges.sort_unstable();
    ranges.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].1.1 < pair[1].1.0)
}
