use lightpath_control::hops::{Hop, Reason, Refusal};
use lightpath_control::model::{Backend, Service};

use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

/// Each backend can be reached: route, interface, neighbour.
pub(super) fn look(around: &Surroundings) -> Vec<Finding> {
    around.services().iter().flat_map(|service| of_service(service, around)).collect()
}

fn of_service(service: &Service, around: &Surroundings) -> Vec<Finding> {
    let name = &service.name;
    let missing = service.backends.iter().filter_map(|backend| match around.hops.get(&backend.address) {
        Some(Hop::Resolved(_)) => None,
        Some(Hop::Unresolved(reason)) => Some((backend, reason)),
        None => Some((backend, &Reason::NoRoute)),
    });
    let missing: Vec<_> = missing.collect();
    let all = service.backends.len();
    if missing.is_empty() {
        return vec![Finding::ok(
            format_args!("service {name}"),
            format_args!("its backends can be reached: {all}"),
        )];
    }
    let none_left = missing.len() == all;
    missing
        .into_iter()
        .map(|(backend, reason)| {
            let about = format!("service {name}, backend {}", backend.address);
            let finding = if none_left {
                Finding::error(about, reason, "the service has no backend that can be reached")
            } else {
                Finding::warning(about, reason, "it gets no flows, and the other backends have its share")
            };
            finding.mend(mend(name, backend, reason))
        })
        .collect()
}

fn mend(service: &str, backend: &Backend, reason: &Reason) -> String {
    let address = backend.address;
    let remove = format!("lightpath backend remove {service} {address} --now");
    match reason {
        Reason::NoRoute => format!("ip route add {address} via GATEWAY"),
        Reason::Refused(Refusal::Blackhole | Refusal::Unreachable | Refusal::Prohibit) => {
            format!("see `ip route get {address}`, then: ip route replace {address} via GATEWAY")
        }
        Reason::Refused(_) => remove,
        Reason::LinkDown { interface } => format!("ip link set dev {interface} up"),
        Reason::NoAnswer { address, .. } => {
            format!("start {address}, or correct its address; else: {remove}")
        }
        Reason::NoMac { .. } | Reason::Vlan { .. } => {
            format!(
                "route it by an Ethernet interface or 802.1Q VLAN: ip route replace {address} via GATEWAY"
            )
        }
        Reason::NoSource => {
            "ip address add ADDRESS dev INTERFACE, or name tunnel_sources in the configuration".to_owned()
        }
    }
}
