use anyhow::Result;
use lightpath_control::host::{ports_for_snat, shared_with_host};
use lightpath_control::model::Forward;

use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

/// The ports that `fullnat` sends from are not those of this host's own connections.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Finding>> {
    let Ok(config) = &around.config else { return Ok(Vec::new()) };
    if around.services_by(&[Forward::FullNat]).next().is_none() {
        return Ok(vec![Finding::ok("snat_ports", "no service is forwarded by fullnat")]);
    }
    let Some(wanted) = &config.node.snat_ports else {
        let ports = ports_for_snat()?;
        return Ok(vec![Finding::ok(
            "snat_ports",
            format_args!("not set: {}-{}", ports.start(), ports.end()),
        )]);
    };
    let written = format!("{}-{}", wanted.start(), wanted.end());
    let Some(both) = shared_with_host(wanted)? else {
        return Ok(vec![Finding::ok("snat_ports", format_args!("{written}, clear of this host's own"))]);
    };
    let shared = format!("{}-{}", both.shared().start(), both.shared().end());
    let what = format!("{written}: this host's own connections come from {shared} too");
    let why = "replies to one of them, from the port of a flow to the same backend, would go to a client";
    let mend = format!("choose other ports, or: sysctl -w net.ipv4.ip_local_reserved_ports={shared}");
    Ok(vec![Finding::warning("snat_ports", what, why).mend(mend)])
}
