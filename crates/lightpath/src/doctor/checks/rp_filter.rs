use anyhow::Result;
use lightpath_control::host::unmet_for_nat;
use lightpath_control::model::Forward;

use crate::doctor::finding::Finding;
use crate::doctor::fix::Fix;
use crate::doctor::surroundings::Surroundings;

/// Replies that the kernel forwards with a VIP as their source are not taken for forged. It makes no difference to `dsr` and tunnels,
/// whose packets leave before the kernel looks at their source.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Finding>> {
    let why = "replies that the kernel forwards have a VIP as their source, whose way back is this host itself; strict filtering drops them";
    demands(around, "rp_filter", why, |path| path.ends_with("/rp_filter"))
}

/// The sysctls that replies of NAT services depend on, as far as `concerns` says. The daemon sets them when it starts: what is
/// missing while packets are balanced was changed since.
pub(super) fn demands(
    around: &Surroundings,
    about: &str,
    why: &str,
    concerns: fn(&str) -> bool,
) -> Result<Vec<Finding>> {
    let by_nat =
        |v4| around.services_by(&[Forward::Nat, Forward::FullNat]).any(|service| service.vip.is_ipv4() == v4);
    let (ipv4, ipv6) = (by_nat(true), by_nat(false));
    if !ipv4 && !ipv6 {
        return Ok(vec![Finding::ok(
            about,
            "no service is forwarded by nat or fullnat, others do not depend on it",
        )]);
    }
    let unmet = unmet_for_nat(&around.interfaces(), ipv4, ipv6)?;
    let mut findings = Vec::new();
    for unmet in unmet.into_iter().filter(|unmet| concerns(&unmet.path)) {
        let what = format!("it is {}, and has to be {}", unmet.found, unmet.wanted);
        if around.is_balancing() {
            let fix = Fix::Sysctl { path: unmet.path.clone(), value: unmet.wanted };
            findings.push(Finding::error(unmet.path, what, why).fix(fix));
        } else {
            findings.push(Finding::ok(unmet.path, format_args!("{what}: `lightpath run` sets it")));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(about, "as nat needs it"));
    }
    Ok(findings)
}
