//! Checks across values: what each service and backend leaves to the others.

mod health;
mod quic;
mod sources;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::diagnostic::{Complaint, Report};
use super::overlap::{Claim, overlaps};
use super::reader::{Located, field};
use super::sections::{Written, WrittenBackend, WrittenService};
use super::{MAX_BACKENDS, MIN_SLOTS_PER_BACKEND, keys};
use crate::maglev;
use crate::model::{Forward, Ports};

/// Reports every contradiction between the values that are usable by themselves.
pub(super) fn check(written: &Written, report: &Report<'_>) {
    let checks = Checks { services: &written.services, report };
    checks.tunnel_sources_are_usable(&written.tunnel_sources);
    checks.snat_addresses_are_usable(&written.snat_addresses);
    checks.names_are_unique();
    checks.services_do_not_overlap();
    for service in checks.services {
        checks.table_is_large_enough(service);
        checks.backends_are_unique(service);
        checks.quic_belongs_to_quic(service);
        checks.server_ids_are_unique(service);
        checks.health_has_a_port(service);
        checks.health_can_go_that_way(service);
        for backend in &service.backends {
            checks.family_can_be_reached(service, backend);
            checks.port_can_be_honoured(service, backend);
            checks.server_id_is_as_the_service_says(service, backend);
        }
    }
    checks.backends_are_not_vips();
    checks.replies_can_be_told_apart();
    checks.backends_can_be_numbered();
}

struct Checks<'a> {
    services: &'a [WrittenService],
    report: &'a Report<'a>,
}

impl Checks<'_> {
    fn names_are_unique(&self) {
        let mut first_uses = HashMap::new();
        for service in self.services {
            let Some(name) = &service.name else { continue };
            if let Some(first) = first_uses.get(&name.value) {
                let problem = format!("{:?} is also the name of another service{first}", name.value);
                self.add(
                    name.at,
                    &service.place,
                    &keys::NAME,
                    problem,
                    "give each service a name of its own",
                );
            } else {
                first_uses.insert(&name.value, self.report.on_line(name.at));
            }
        }
    }

    /// A packet belongs to the most specific service it matches; two equally specific ones leave that open.
    fn services_do_not_overlap(&self) {
        let claims = self.services.iter().enumerate().filter_map(|(index, service)| {
            let (vip, ports, protocol) = (service.vip?.value, service.ports?.value, service.protocol?.value);
            // Ports of unlike specificity may overlap: the more specific wins.
            let of = (vip, protocol.transport(), ports.specificity());
            Some(Claim { of, ports: ports.bounds(), who: index })
        });
        for (first, second) in overlaps(claims.collect()) {
            let (first, second) = (&self.services[first], &self.services[second]);
            let (Some(vip), Some(protocol)) = (second.vip, second.protocol) else { continue };
            let (Some(taken), Some(ports)) = (first.ports, second.ports) else { continue };
            let problem = format!(
                "{} port {} of {} is taken by {}, port {}{}",
                protocol.value,
                ports.value,
                vip.value,
                first.place,
                taken.value,
                self.report.on_line(taken.at)
            );
            let help = "give one of them other ports, another VIP or another protocol";
            self.add(ports.at, &second.place, &keys::PORT, problem, help);
        }
    }

    fn table_is_large_enough(&self, service: &WrittenService) {
        let Some(slots) = service.slots else { return };
        let weighted = service.backends.iter().filter(|backend| backend.weight.is_some_and(|w| w.value > 0));
        let backends = u32::try_from(weighted.count()).unwrap_or(u32::MAX);
        let fewest = backends.saturating_mul(MIN_SLOTS_PER_BACKEND);
        if slots.value >= fewest {
            return;
        }
        let problem = format!("{} slots are too few for {backends} backends with a weight", slots.value);
        let help = match maglev::next_prime(fewest).filter(|prime| *prime <= maglev::MAX_SIZE) {
            Some(prime) => {
                format!("write at least {MIN_SLOTS_PER_BACKEND} for each: {prime} or a larger prime")
            }
            None => "split the service".to_owned(),
        };
        self.add(slots.at, &service.place, &keys::SLOTS, problem, help);
    }

    fn backends_are_unique(&self, service: &WrittenService) {
        let Some(ports) = service.ports else { return };
        let mut first_uses = HashMap::new();
        for backend in &service.backends {
            let (Some(address), Some(_)) = (backend.address, backend.port) else { continue };
            let port = backend.effective_port(ports.value);
            if let Some(first) = first_uses.get(&(address.value, port)) {
                let port = port.map_or_else(String::new, |port| format!(" port {port}"));
                let problem = format!("{}{port} is also another backend{first}", address.value);
                let help = "list it once, with the sum of the weights";
                self.add(address.at, &backend.place, &keys::ADDRESS, problem, help);
            } else {
                first_uses.insert((address.value, port), self.report.on_line(backend.at));
            }
        }
    }

    /// A tunnel carries either family over either, and `fullnat` translates from one to the other.
    fn family_can_be_reached(&self, service: &WrittenService, backend: &WrittenBackend) {
        let (Some(vip), Some(address), Some(forward)) = (service.vip, backend.address, service.forward)
        else {
            return;
        };
        if matches!(forward.value, Forward::Nat | Forward::Dsr)
            && vip.value.is_ipv4() != address.value.is_ipv4()
        {
            let (own, other) = (family(address.value), family(vip.value));
            let problem = format!("{} is {own} but the VIP {} is {other}", address.value, vip.value);
            let help = format!(
                "write an {other} address, or forward = \"fullnat\", \"ipip\" or \"gue\" for the service"
            );
            self.add(address.at, &backend.place, &keys::ADDRESS, problem, help);
        }
    }

    fn port_can_be_honoured(&self, service: &WrittenService, backend: &WrittenBackend) {
        let (Some(ports), Some(Located { value: Some(port), at })) = (service.ports, backend.port) else {
            return;
        };
        let (problem, help) = match (ports.value, service.forward.map(|forward| forward.value)) {
            (_, Some(forward @ (Forward::Ipip | Forward::Gue))) => (
                format!(
                    "{port} cannot be used: with \"{forward}\" the backend gets packets as clients sent them"
                ),
                "remove it".to_owned(),
            ),
            (Ports::One(own), Some(Forward::Dsr)) if own != port => (
                format!("{port} is not the service's port {own}, and \"dsr\" cannot rewrite ports"),
                format!("write {own}, or forward = \"nat\" for the service"),
            ),
            (Ports::Range(..) | Ports::Any, _) => (
                format!("{port} cannot be used, because a service with port \"{}\" keeps ports", ports.value),
                "remove it".to_owned(),
            ),
            (Ports::One(_), _) => return,
        };
        self.add(at, &backend.place, &keys::BACKEND_PORT, problem, help);
    }

    fn backends_are_not_vips(&self) {
        let vips: HashMap<IpAddr, &WrittenService> =
            self.services.iter().rev().filter_map(|service| Some((service.vip?.value, service))).collect();
        for backend in self.services.iter().flat_map(|service| &service.backends) {
            let Some(address) = backend.address else { continue };
            if let Some(service) = vips.get(&address.value) {
                let problem = format!("{} is the VIP of {}", address.value, service.place);
                let help = format!("write {}", keys::ADDRESS.allowed);
                self.add(address.at, &backend.place, &keys::ADDRESS, problem, help);
            }
        }
    }

    /// `nat` finds the service of a reply by the backend's address, port and protocol alone.
    fn replies_can_be_told_apart(&self) {
        let mut claims = Vec::new();
        for (index, service) in self.services.iter().enumerate() {
            let (Some(ports), Some(protocol)) = (service.ports, service.protocol) else { continue };
            if service.forward.is_none_or(|forward| forward.value != Forward::Nat) {
                continue;
            }
            // One claim a service and backend: a backend listed twice is reported as such.
            let mut seen = HashSet::new();
            for (number, backend) in service.backends.iter().enumerate() {
                let (Some(address), Some(_)) = (backend.address, backend.port) else { continue };
                let port = backend.effective_port(ports.value);
                let ports = port.map_or(ports.value.bounds(), |port| (port, port));
                if seen.insert((address.value, port)) {
                    let of = (address.value, protocol.value.transport());
                    claims.push(Claim { of, ports, who: (index, number) });
                }
            }
        }
        for ((first, _), (second, number)) in overlaps(claims) {
            let (first, service) = (&self.services[first], &self.services[second]);
            let backend = &service.backends[number];
            let (Some(address), Some(ports)) = (backend.address, service.ports) else { continue };
            let port = backend.effective_port(ports.value).map_or(ports.value, Ports::One);
            let problem = format!(
                "{} port {port} is also a backend of {}, so replies could not be told apart",
                address.value, first.place
            );
            let help =
                "use another port or address of the backend for each service, or forward = \"fullnat\"";
            self.add(address.at, &backend.place, &keys::ADDRESS, problem, help);
        }
    }

    fn backends_can_be_numbered(&self) {
        let mut backends = self.services.iter().flat_map(|service| &service.backends);
        if let Some(backend) = backends.nth(MAX_BACKENDS) {
            let all = MAX_BACKENDS + 1 + backends.count();
            let problem = format!("this file has {all} backends, and there can be {MAX_BACKENDS}");
            let complaint = Complaint::new(problem, "remove some, or run several instances");
            self.report.add(backend.at, Some(backend.place.clone()), complaint);
        }
    }

    fn add(&self, at: usize, place: &str, key: &keys::Key, problem: String, help: impl Into<String>) {
        self.report.add(at, Some(field(place, key.name)), Complaint::new(problem, help));
    }
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}
