use anyhow::Result;
use lightpath_control::host::device::{XdpSupport, xdp_support};
use lightpath_control::model::XdpMode;
use lightpath_dataplane::{Interface, Mode};

use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

/// The drivers run XDP themselves, and send what XDP sends them from other interfaces.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Finding>> {
    let Ok(config) = &around.config else { return Ok(Vec::new()) };
    let interfaces = around.interfaces();
    let several = interfaces.len() > 1;
    let mut findings = Vec::new();
    for name in &interfaces {
        let support = xdp_support(name)?;
        let attached = Interface::named(name)?.xdp.map(|program| program.mode);
        findings.push(mode(name, config.node.xdp_mode, support, attached));
        if several && support.is_some_and(|support| support.native && !support.transmits) {
            let why = "packets that leave by it after they have come by another interface are lost";
            let what = "its driver does not send what XDP redirects to it at present";
            findings.push(Finding::warning(name, what, why).mend(
                "attach a program there (Lightpath does, by `interfaces`), or see the driver's documentation on XDP_REDIRECT",
            ));
        }
    }
    Ok(findings)
}

fn mode(name: &str, wanted: XdpMode, support: Option<XdpSupport>, attached: Option<Mode>) -> Finding {
    const WHY: &str = "packets take the kernel's generic path, at several times the cost each";
    const OTHER: &str = "use an interface whose driver has XDP (ethtool -i shows the driver)";
    match (attached, wanted, support) {
        (Some(Mode::Native), _, _) => Finding::ok(name, "XDP runs in its driver"),
        (_, XdpMode::Native, Some(XdpSupport { native: false, .. })) => {
            let why = "xdp_mode = \"native\" is refused at the start";
            Finding::error(name, "its driver cannot run XDP", why)
                .mend("write xdp_mode = \"auto\" or \"generic\"")
        }
        (_, XdpMode::Generic, Some(XdpSupport { native: true, .. })) => {
            Finding::hint(name, "its driver can run XDP, and xdp_mode = \"generic\" forgoes it", WHY)
                .mend("write xdp_mode = \"auto\"")
        }
        (Some(Mode::Generic), _, _) => {
            Finding::warning(name, "XDP runs in the kernel's generic path", WHY).mend(OTHER)
        }
        (None, _, Some(XdpSupport { native: true, .. })) => Finding::ok(name, "its driver can run XDP"),
        (None, _, Some(XdpSupport { native: false, .. })) => {
            Finding::warning(name, "its driver cannot run XDP", WHY).mend(OTHER)
        }
        (None, _, None) => {
            let what = "this kernel does not tell whether its driver can run XDP (Linux 6.3 does)";
            Finding::hint(name, what, "where it cannot, packets cost several times as much")
                .mend("start the daemon: it says which way it has taken")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity;

    #[test]
    fn a_driver_without_xdp_is_wrong_only_where_native_was_asked_for() {
        let can = |native| Some(XdpSupport { native, transmits: true });
        let rows = [
            (XdpMode::Auto, can(true), None, Severity::Ok),
            (XdpMode::Auto, can(false), None, Severity::Warning),
            (XdpMode::Auto, can(false), Some(Mode::Generic), Severity::Warning),
            (XdpMode::Auto, None, None, Severity::Hint),
            (XdpMode::Native, can(false), None, Severity::Error),
            (XdpMode::Native, None, Some(Mode::Native), Severity::Ok),
            (XdpMode::Generic, can(true), Some(Mode::Generic), Severity::Hint),
            (XdpMode::Generic, can(false), None, Severity::Warning),
        ];
        for (wanted, support, attached, expected) in rows {
            let found = mode("eth0", wanted, support, attached);
            assert_eq!(found.severity, expected, "{wanted:?} {support:?} {attached:?}");
        }
    }
}
