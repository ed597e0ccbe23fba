use std::collections::BTreeSet;

use anyhow::Result;
use lightpath_control::host::device::active_features;
use lightpath_control::model::XdpMode;
use lightpath_dataplane::{Interface, Mode};

use crate::doctor::finding::Finding;
use crate::doctor::fix::Fix;
use crate::doctor::surroundings::Surroundings;

/// What the card or the kernel merges before XDP sees it.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Finding>> {
    let Ok(config) = &around.config else { return Ok(Vec::new()) };
    let mut findings = Vec::new();
    for name in around.interfaces() {
        let attached = Interface::named(&name)?.xdp.map(|program| program.mode);
        let generic = attached == Some(Mode::Generic)
            || (attached.is_none() && config.node.xdp_mode == XdpMode::Generic);
        let merging = judge(&name, &active_features(&name)?, generic);
        if merging.is_empty() {
            findings.push(Finding::ok(&name, "nothing merges packets before XDP"));
        }
        findings.extend(merging);
    }
    Ok(findings)
}

fn judge(name: &str, active: &BTreeSet<String>, generic: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if active.contains("rx-lro") {
        let why = "merged packets cannot be taken apart again when they are sent on, and many drivers refuse XDP beside it";
        let fix = Fix::SwitchOff { interface: name.to_owned(), feature: "rx-lro" };
        findings.push(Finding::error(name, "LRO merges packets", why).fix(fix));
    }
    if active.contains("rx-gro-hw") {
        let why = "many drivers refuse XDP beside it, or switch it off themselves";
        let mend = format!("ethtool -K {name} rx-gro-hw off");
        findings.push(Finding::warning(name, "the card merges packets (GRO in hardware)", why).mend(mend));
    }
    if generic && active.contains("rx-gro") {
        let why = "in the generic path XDP sees packets that GRO has merged, of up to 64 KiB: those longer than the MTU are dropped \
                   when they go on to another interface, and are not answered when they are too big for a tunnel";
        let mend = format!("ethtool -K {name} gro off");
        findings.push(Finding::warning(name, "GRO merges packets before XDP", why).mend(mend));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_merges_depends_on_where_xdp_runs() {
        let rows: [(&[&str], bool, &[&str]); 5] = [
            (&["rx-gro", "tx-checksum-ip-generic"], false, &[]),
            (&["rx-gro"], true, &["ethtool -K eth0 gro off"]),
            (&["rx-lro"], false, &["ethtool -K eth0 rx-lro off"]),
            (&["rx-gro-hw"], false, &["ethtool -K eth0 rx-gro-hw off"]),
            (&[], true, &[]),
        ];
        for (active, generic, expected) in rows {
            let active = active.iter().map(|&name| name.to_owned()).collect();
            let mends: Vec<_> =
                judge("eth0", &active, generic).into_iter().filter_map(|found| found.mend).collect();
            assert_eq!(mends, expected, "{active:?} generic: {generic}");
        }
    }
}
