use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::Result;
use lightpath_control::hops::Hop;
use lightpath_control::host::probe::{Claim, claims};
use lightpath_control::model::{Announce, Forward};

use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

/// Answers come within a millisecond on a segment that is not overloaded.
const PATIENCE: Duration = Duration::from_millis(300);

/// Nobody but this host answers ARP for the VIPs that backends have as addresses too.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Finding>> {
    let Ok(config) = &around.config else { return Ok(Vec::new()) };
    let shared = around.services_by(&[Forward::Dsr, Forward::Ipip, Forward::Gue]);
    let mut vips: Vec<Ipv4Addr> = shared
        .filter_map(|service| match service.vip {
            IpAddr::V4(vip) => Some(vip),
            IpAddr::V6(_) => None,
        })
        .collect();
    vips.sort_unstable();
    vips.dedup();
    if vips.is_empty() {
        return Ok(vec![Finding::ok("ARP for VIPs", "no backend has an IPv4 VIP as an address of its own")]);
    }
    let mut findings = Vec::new();
    for interface in around.interfaces() {
        let claims = claims(&interface, &vips, PATIENCE)?;
        findings
            .extend(claims.into_iter().map(|claim| judge(claim, &interface, config.node.announce, around)));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("ARP for VIPs", "nobody else answers for those that backends have too"));
    }
    Ok(findings)
}

fn judge(claim: Claim, interface: &str, announce: Announce, around: &Surroundings) -> Finding {
    let has_mac = |hop: &Hop| matches!(hop, Hop::Resolved(next) if next.mac == claim.mac);
    let backend = around.hops.iter().find(|(_, hop)| has_mac(hop)).map(|(address, _)| address);
    let who = backend.map_or_else(
        || format!("a host with MAC address {}", mac(claim.mac)),
        |address| format!("backend {address}"),
    );
    let about = format!("VIP {}", claim.address);
    let what = format!("{who} answers ARP for it on {interface}");
    let why = "clients and routers send it packets that are for this host, past the balancer";
    let mend = "on that host: sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2; then, here: systemctl restart \
                lightpath, which announces the VIP again";
    match announce {
        Announce::Address => Finding::error(about, what, why).mend(mend),
        // Where VIPs are routed, nobody on the segment should ask for one.
        Announce::None => {
            Finding::hint(about, what, "it matters as soon as somebody on the segment asks for the VIP")
                .mend(mend)
        }
    }
}

fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}
