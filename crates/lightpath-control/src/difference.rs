//! What a new configuration changes, in the words that `reload` prints.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::cpu_list;
use crate::model::{Backend, Config, Node, Service, Spread};

/// One change, as a line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change(String);

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is different in `new`: of the node first, then service by service in the order of the new file, then what is gone. `now` is
/// whether nobody waits for the flows of that.
#[must_use]
pub fn difference(old: &Config, new: &Config, now: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    let Config { node, services } = new;
    let mut setting = |what: &str, from: String, to: String| {
        if from != to {
            changes.push(Change(format!("node: {what} {from} -> {to}")));
        }
    };
    setting("interfaces", old.node.interfaces.join(", "), node.interfaces.join(", "));
    setting("xdp_mode", format!("{:?}", old.node.xdp_mode), format!("{:?}", node.xdp_mode));
    setting("announce", format!("{:?}", old.node.announce), format!("{:?}", node.announce));
    let served = |node: &Node| node.metrics.map_or_else(|| "nowhere".to_owned(), |at| at.to_string());
    setting("metrics", served(&old.node), served(node));
    let reached = |node: &Node| {
        node.api.as_ref().map_or_else(|| "on the socket only".to_owned(), |api| api.listen.to_string())
    };
    setting("api", reached(&old.node), reached(node));
    setting("tunnel_sources", list(&old.node.tunnel_sources), list(&node.tunnel_sources));
    setting("snat_addresses", list(&old.node.snat_addresses), list(&node.snat_addresses));
    setting("snat_ports", format!("{:?}", old.node.snat_ports), format!("{:?}", node.snat_ports));
    setting("queues", format!("{:?}", old.node.queues), format!("{:?}", node.queues));
    setting("spread", spread(&old.node.spread), spread(&node.spread));
    if old.node.hash_seed != node.hash_seed {
        changes.push(Change("node: hash_seed changed; every flow is placed anew".to_owned()));
    }
    let mut before = by_name(&old.services);
    for service in services {
        match before.remove(service.name.as_str()) {
            Some(known) if known == service => {}
            Some(known) => changes.extend(of_service(known, service, now)),
            None => changes.push(Change(format!("service {}: added", service.name))),
        }
    }
    for gone in old.services.iter().filter(|known| before.contains_key(known.name.as_str())) {
        changes.push(Change(format!("service {}: removed{}", gone.name, leaving(now))));
    }
    changes
}

fn by_name(services: &[Service]) -> HashMap<&str, &Service> {
    services.iter().map(|service| (service.name.as_str(), service)).collect()
}

fn of_service(old: &Service, new: &Service, now: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut setting = |what: &str, from: String, to: String| {
        if from != to {
            changes.push(Change(format!("service {}: {what} {from} -> {to}", new.name)));
        }
    };
    setting("vip", old.vip.to_string(), new.vip.to_string());
    setting("port", old.ports.to_string(), new.ports.to_string());
    setting("protocol", old.protocol.to_string(), new.protocol.to_string());
    setting("forward", old.forward.to_string(), new.forward.to_string());
    setting("sticky", format!("{:?}", old.sticky), format!("{:?}", new.sticky));
    setting("slots", old.slots.to_string(), new.slots.to_string());
    setting("when_empty", format!("{:?}", old.when_empty), format!("{:?}", new.when_empty));
    setting("quic", format!("{:?}", old.quic), format!("{:?}", new.quic));
    if old.health != new.health {
        let name = |service: &Service| service.health.as_ref().map_or("none", |health| health.check.name());
        let change = match (name(old), name(new)) {
            (from, to) if from == to => format!("{to}, with other settings"),
            (from, to) => format!("{from} -> {to}"),
        };
        changes.push(Change(format!("service {}: health {change}", new.name)));
    }
    let by_endpoint = |service: &Service| -> BTreeMap<(IpAddr, Option<u16>), Backend> {
        service.backends.iter().map(|backend| ((backend.address, backend.port), *backend)).collect()
    };
    let (before, after) = (by_endpoint(old), by_endpoint(new));
    for (endpoint, backend) in &after {
        let name = endpoint_name(*endpoint);
        match before.get(endpoint) {
            None => changes.push(Change(format!("service {}: backend {name} added", new.name))),
            Some(known) if known.weight != backend.weight => changes.push(Change(format!(
                "service {}: backend {name} weight {} -> {}{}",
                new.name,
                known.weight,
                backend.weight,
                if backend.weight == 0 { ", it drains" } else { "" }
            ))),
            Some(known) if known != backend => {
                changes.push(Change(format!("service {}: backend {name} changed", new.name)));
            }
            Some(_) => {}
        }
    }
    for endpoint in before.keys().filter(|endpoint| !after.contains_key(endpoint)) {
        let name = endpoint_name(*endpoint);
        changes.push(Change(format!("service {}: backend {name} removed{}", new.name, leaving(now))));
    }
    changes
}

const fn leaving(now: bool) -> &'static str {
    if now { "" } else { ", its flows may end first" }
}

fn spread(spread: &Spread) -> String {
    match spread {
        Spread::Off => "off".to_owned(),
        Spread::All => "all".to_owned(),
        Spread::Over(cpus) => cpu_list::write(cpus),
    }
}

fn list(prefixes: &[IpNet]) -> String {
    let prefixes: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
    format!("[{}]", prefixes.join(", "))
}

fn endpoint_name((address, port): (IpAddr, Option<u16>)) -> String {
    port.map_or_else(|| address.to_string(), |port| std::net::SocketAddr::new(address, port).to_string())
}
