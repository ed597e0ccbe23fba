use std::net::IpAddr;

use lightpath_control::hops::{Hop, NextHop};
use lightpath_control::model::{Forward, Service};

use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

/// What comes from the internet is no longer than Ethernet's usual MTU.
const USUAL: u32 = 1500;
/// What every link carries: RFC 791, section 3.1, for IPv4, and RFC 8200, section 5, for IPv6.
const LEAST: [u32; 2] = [576, 1280];

/// A packet has room in its tunnel on the way to each backend.
pub(super) fn look(around: &Surroundings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in around.services_by(&[Forward::Ipip, Forward::Gue]) {
        let mut narrow = Vec::new();
        for backend in &service.backends {
            if let Some(Hop::Resolved(hop)) = around.hops.get(&backend.address) {
                narrow.extend(judge(service, backend.address, hop));
            }
        }
        if narrow.is_empty() {
            narrow.push(Finding::ok(
                format_args!("service {}", service.name),
                "its tunnels have room for what comes",
            ));
        }
        findings.extend(narrow);
    }
    findings
}

fn judge(service: &Service, backend: IpAddr, hop: &NextHop) -> Option<Finding> {
    let overhead = overhead(service.forward, backend);
    let room = hop.mtu.saturating_sub(overhead);
    if room >= USUAL {
        return None;
    }
    let about = format!("service {}, backend {backend}", service.name);
    let what = format!(
        "by {} a packet of {room} bytes fits the tunnel, which takes {overhead} of the MTU of {}",
        hop.interface_name, hop.mtu
    );
    let mend = format!("ip link set dev {} mtu {}", hop.interface_name, USUAL + overhead);
    let mend = format!("{mend}; and the same on the way to the backend");
    let [v4, v6] = LEAST;
    Some(if room < if service.vip.is_ipv4() { v4 } else { v6 } {
        let why = "that is less than every host may send without asking, so packets are lost whatever their sender does";
        Finding::error(about, what, why).mend(mend)
    } else {
        let why = format!(
            "longer ones are answered with an ICMP error; clients that do not get it hang. If the MTU has to stay, lower what the \
             backend announces: ip route change default via GATEWAY advmss {}",
            room.saturating_sub(if service.vip.is_ipv4() { 40 } else { 60 })
        );
        Finding::warning(about, what, why).mend(mend)
    })
}

/// Bytes of the outer headers: IPv4 or IPv6, and with GUE, UDP (variant 1 has no header of its own).
fn overhead(forward: Forward, backend: IpAddr) -> u32 {
    let ip = if backend.is_ipv4() { 20 } else { 40 };
    ip + if forward == Forward::Gue { 8 } else { 0 }
}
