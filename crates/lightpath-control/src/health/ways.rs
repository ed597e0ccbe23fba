//! The ways of checks through the data plane: which mark stands for which backend, and how its packets get there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use lightpath_abi::{
    Backend as BackendEntry, CheckedBackend, FIRST_CHECK_MARK, Forward as Mode, MAX_CHECKED,
};

use super::targets::{Server, Targets, UnfitCheck};
use crate::hops::Hop;
use crate::model::{Backend, Config, Forward, Node, Service, Via};
use crate::reconcile::{Hops, backend_entry};
use crate::sources::records;

/// Marks of backends that are checked through the data plane. A backend keeps its own for as long as it is checked.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// The device that such checks leave by.
    device: Option<Arc<str>>,
    marks: BTreeMap<(String, Server), u32>,
    /// The number that was given last.
    last: u32,
}

impl Ways {
    /// Whether any check of a configuration goes through the data plane.
    #[must_use]
    pub fn are_used_by(config: &Config) -> bool {
        config.services.iter().any(uses)
    }

    /// Has such checks leave by a device.
    pub fn leave_by(&mut self, device: Option<&str>) {
        self.device = device.map(Arc::from);
    }

    /// Gives each backend of a configuration a mark that needs one and has none.
    pub fn mark(&mut self, config: &Config) {
        let mut taken: BTreeSet<u32> = self.marks.values().copied().collect();
        for backend in backends(config).map(|(service, backend)| key(service, backend)) {
            // There are as many as there may be backends.
            self.marks.entry(backend).or_insert_with(|| {
                loop {
                    self.last = (self.last + 1) % MAX_CHECKED;
                    if taken.insert(FIRST_CHECK_MARK | self.last) {
                        return FIRST_CHECK_MARK | self.last;
                    }
                }
            });
        }
    }

    /// Forgets the marks of backends that a configuration does not have.
    pub fn keep(&mut self, config: &Config) {
        let needed: BTreeSet<(String, Server)> = backends(config).map(|(s, b)| key(s, b)).collect();
        self.marks.retain(|backend, _| needed.contains(backend));
    }

    /// What is to be checked, by these ways.
    pub fn targets(&self, config: &Config) -> Result<Targets, UnfitCheck> {
        Targets::of(config, self)
    }

    /// The way of a service's checks: the device, and the mark of each backend.
    pub(super) fn of(&self, service: &Service) -> Option<(Arc<str>, BTreeMap<Server, u32>)> {
        let device = self.device.clone().filter(|_| uses(service))?;
        let mark = |backend: &Backend| Some((server(backend), *self.marks.get(&key(service, backend))?));
        Some((device, service.backends.iter().filter_map(mark).collect()))
    }

    /// How packets with each mark reach their backend. One without a next hop is reached by none.
    #[must_use]
    pub fn entries(&self, config: &Config, hops: &Hops) -> BTreeMap<u32, CheckedBackend> {
        let entry = |(service, backend): (&Service, &Backend)| {
            let mark = *self.marks.get(&key(service, backend))?;
            Some((mark, checked(&config.node, service.forward, backend, hops)?))
        };
        backends(config).filter_map(entry).collect()
    }
}

fn uses(service: &Service) -> bool {
    service.health.as_ref().is_some_and(|health| health.via == Via::Datapath)
}

fn backends(config: &Config) -> impl Iterator<Item = (&Service, &Backend)> {
    let services = config.services.iter().filter(|service| uses(service));
    services.flat_map(|service| service.backends.iter().map(move |backend| (service, backend)))
}

fn server(backend: &Backend) -> Server {
    (backend.address, backend.port)
}

fn key(service: &Service, backend: &Backend) -> (String, Server) {
    (service.name.clone(), server(backend))
}

fn checked(node: &Node, forward: Forward, backend: &Backend, hops: &Hops) -> Option<CheckedBackend> {
    let Some(Hop::Resolved(hop)) = hops.get(&backend.address) else { return None };
    let (mode, source) = match forward {
        Forward::Dsr => (Mode::Dsr, None),
        Forward::Ipip => (Mode::Ipip, Some(tunnel_source(node, backend.address, hop.source)?)),
        Forward::Gue => (Mode::Gue, Some(tunnel_source(node, backend.address, hop.source)?)),
        Forward::Nat | Forward::FullNat => return None,
    };
    let source = source.map(|prefix| records(&[prefix])).unwrap_or_default();
    Some(CheckedBackend {
        backend: BackendEntry { service: 0, ..backend_entry(0, backend, Some(hop), false) },
        source: source.first().copied().unwrap_or_default(),
        forward: mode as u8,
        ..CheckedBackend::default()
    })
}

/// One prefix that packets to a backend come from stands for all of them.
fn tunnel_source(node: &Node, backend: IpAddr, own: Option<IpAddr>) -> Option<IpNet> {
    let of_family = |prefix: &&IpNet| prefix.addr().is_ipv4() == backend.is_ipv4();
    node.tunnel_sources.iter().find(of_family).copied().or_else(|| own.map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use lightpath_abi::Source;

    use super::*;
    use crate::config::parse;
    use crate::hops::NextHop;

    fn config(backends: &[&str]) -> Config {
        let text = String::from(
            "[node]\ninterfaces = [\"eth0\"]\n[[service]]\nname = \"web\"\nvip = \"203.0.113.10\"\nport = 80\n\
             protocol = \"tcp\"\nforward = \"dsr\"\n[service.health]\ntype = \"tcp\"\nvia = \"datapath\"\n",
        );
        let backends =
            backends.iter().map(|backend| format!("[[service.backend]]\naddress = \"{backend}\"\n"));
        let text = text + &backends.collect::<String>();
        parse(&text, "f.toml").unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn a_backend_keeps_its_mark_and_a_mark_that_was_given_back_comes_late() {
        let mut ways = Ways::default();
        ways.leave_by(Some("lp-0"));
        let marks = |ways: &Ways, config: &Config| {
            let (_, marks) = ways.of(&config.services[0]).unwrap();
            marks.into_values().collect::<Vec<_>>()
        };
        let both = config(&["10.0.0.1", "10.0.0.2"]);
        ways.mark(&both);
        assert_eq!(marks(&ways, &both), [FIRST_CHECK_MARK | 1, FIRST_CHECK_MARK | 2]);
        let other = config(&["10.0.0.2", "10.0.0.3"]);
        ways.mark(&other);
        ways.keep(&other);
        assert_eq!(marks(&ways, &other), [FIRST_CHECK_MARK | 2, FIRST_CHECK_MARK | 3]);
        ways.mark(&both);
        assert_eq!(marks(&ways, &both), [FIRST_CHECK_MARK | 4, FIRST_CHECK_MARK | 2], "not the one it had");
        assert!(ways.entries(&other, &Hops::default()).is_empty(), "there is no next hop yet");
    }

    #[test]
    fn a_way_is_that_of_the_service_from_where_its_tunnels_come() {
        let mut config = config(&["10.0.0.1"]);
        config.node.tunnel_sources = vec!["fd00:64::/64".parse().unwrap(), "10.64.0.0/16".parse().unwrap()];
        let hop = NextHop {
            interface: 7,
            interface_name: "eth0".to_owned(),
            vlan: Some(9),
            source_mac: [2; 6],
            mac: [4; 6],
            mtu: 1500,
            source: Some([10, 0, 0, 2].into()),
        };
        let hops = Hops::from([([10, 0, 0, 1].into(), Hop::Resolved(hop))]);
        let mut ways = Ways::default();
        ways.mark(&config);
        let mut entry = |forward: Forward, sources: usize| {
            config.services[0].forward = forward;
            config.node.tunnel_sources.truncate(sources);
            ways.entries(&config, &hops)[&(FIRST_CHECK_MARK | 1)]
        };
        let dsr = entry(Forward::Dsr, 2);
        assert_eq!((dsr.forward, dsr.source), (Mode::Dsr as u8, Source::default()));
        let next = dsr.backend.next_hop();
        assert_eq!((next.interface, next.vlan, next.mac, next.source_mac), (7, 9, [4; 6], [2; 6]));
        let gue = entry(Forward::Gue, 2);
        assert_eq!((gue.forward, gue.source.spread, gue.source.count), (Mode::Gue as u8, 0xffff, 1));
        assert_eq!(gue.source.address.to_ip(), IpAddr::from([10, 64, 0, 0]));
        let own = entry(Forward::Ipip, 1);
        assert_eq!((own.forward, own.source.spread), (Mode::Ipip as u8, 0));
        assert_eq!(
            own.source.address.to_ip(),
            IpAddr::from([10, 0, 0, 2]),
            "no prefix is of the backend's family"
        );
    }
}
