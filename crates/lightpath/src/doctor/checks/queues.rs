use std::fs;

use anyhow::Result;
use lightpath_control::cpu_list;
use lightpath_control::host::queues::{Change, Receiving, Wanted, look as look_at, plan};
use lightpath_control::model::{Config, Spread};

use crate::doctor::finding::Finding;
use crate::doctor::fix::Fix;
use crate::doctor::surroundings::Surroundings;

/// Packets are spread over queues, and their interrupts over processors: one queue is served by one processor.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Finding>> {
    let is_spread = around.config.as_ref().is_ok_and(is_spread);
    let mut findings = Vec::new();
    let mut interrupts = Vec::new();
    for name in around.interfaces() {
        let receiving = look_at(&name)?;
        interrupts.extend(receiving.interrupts.iter().map(|interrupt| interrupt.number));
        let changes = plan(&receiving, Wanted::ForEachCpu);
        findings.push(judge(&name, &receiving, &changes, is_spread, around.is_served));
    }
    if interrupts.len() > 1 && is_running("irqbalance") {
        findings.push(moved_by_irqbalance(&interrupts));
    }
    Ok(findings)
}

fn is_spread(config: &Config) -> bool {
    config.node.spread != Spread::Off
}

fn judge(name: &str, receiving: &Receiving, changes: &[Change], is_spread: bool, is_served: bool) -> Finding {
    let processors = receiving.cpus.len();
    let Receiving { queues, interrupts, .. } = receiving;
    let spread = if is_spread { ", and the data plane spreads packets itself" } else { "" };
    if interrupts.is_empty() {
        return Finding::ok(
            name,
            format_args!("receive queues: {queues}; it has no interrupts of its own{spread}"),
        );
    }
    let serving = receiving.serving().len();
    let most = receiving.channels.map_or(*queues, |channels| channels.most);
    let could = (*queues as usize).min(processors);
    if *queues == 1 && processors > 1 {
        if is_spread {
            return Finding::ok(name, format_args!("receive queues: 1{spread}"));
        }
        let what = format!("one receive queue, on a host of {processors} processors");
        let why = "a single processor carries all its packets";
        if most == 1 {
            let finding = Finding::hint(name, what, why);
            return finding.mend("if that processor is busy, write spread = \"all\" in [node]: it then only gives packets away");
        }
        return mended(Finding::hint(name, what, why), name, changes, is_served);
    }
    if serving < could {
        let what =
            format!("{queues} receive queues, whose interrupts go to {serving} of {processors} processors");
        let why = "the others idle while these drop packets under load";
        return mended(Finding::warning(name, what, why), name, changes, is_served);
    }
    let unequal = changes.iter().find(|change| matches!(change, Change::Indirection { .. }));
    if let Some(change) = unequal {
        let what = format!("the {queues} receive queues do not get equal shares of the packets");
        let why = "the processor with the largest share is the first to drop packets";
        return mended(Finding::hint(name, what, why), name, std::slice::from_ref(change), is_served);
    }
    let on = cpu_list::write(&receiving.serving());
    Finding::ok(
        name,
        format_args!("receive queues: {queues}, on {serving} of {processors} processors ({on})"),
    )
}

/// With what mends it. While a daemon runs, the record of what was changed on this host is the daemon's.
fn mended(finding: Finding, name: &str, changes: &[Change], is_served: bool) -> Finding {
    let commands = changes.iter().map(|change| change.command(name)).collect();
    let fix = Fix::SpreadQueues { interface: name.to_owned(), commands };
    if is_served {
        return finding
            .mend(format_args!("write queues = \"auto\" in [node] and reload, or: {}", fix.command()));
    }
    finding.fix(fix)
}

/// It looks at interrupts every ten seconds, and has its own opinion where they should go.
fn moved_by_irqbalance(interrupts: &[u32]) -> Finding {
    let bans: Vec<String> = interrupts.iter().map(|number| format!("--banirq={number}")).collect();
    let why = "it moves interrupts to other processors, those of receive queues too, and undoes what `queues` or an operator has set";
    Finding::hint("irqbalance", "it is running", why).mend(format_args!(
        "add {} to IRQBALANCE_ARGS in /etc/default/irqbalance, then: systemctl restart irqbalance",
        bans.join(" ")
    ))
}

/// Whether a process of this name runs, as far as this one sees.
fn is_running(name: &str) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.into_iter().any(|process| {
        fs::read_to_string(process.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lightpath_control::host::queues::{Channels, Interrupt, Kind};

    use super::*;
    use crate::doctor::finding::Severity;

    fn card(queues: u32, most: u32, serving: &[u32], processors: u32) -> Receiving {
        let interrupt = |(queue, cpu): (u32, &u32)| Interrupt {
            number: 25 + queue,
            queue,
            allowed: BTreeSet::from([*cpu]),
            effective: BTreeSet::from([*cpu]),
        };
        let channels =
            Channels { kind: Kind::Combined, count: queues, most, sending: queues, most_sending: most };
        Receiving {
            channels: Some(channels),
            queues,
            indirection: None,
            interrupts: (0..).zip(serving).map(interrupt).collect(),
            cpus: (0..processors).collect(),
        }
    }

    fn judged(receiving: &Receiving, is_spread: bool, is_served: bool) -> Finding {
        judge("eth0", receiving, &plan(receiving, Wanted::ForEachCpu), is_spread, is_served)
    }

    #[test]
    fn queues_on_fewer_processors_than_could_serve_them_are_a_warning() {
        let rows: [(Receiving, bool, Severity); 7] = [
            (card(4, 4, &[], 4), false, Severity::Ok),
            (card(1, 4, &[0], 4), false, Severity::Hint),
            (card(1, 1, &[0], 4), true, Severity::Ok),
            (card(1, 1, &[0], 1), false, Severity::Ok),
            (card(4, 4, &[0, 0, 0, 0], 4), false, Severity::Warning),
            (card(4, 4, &[0, 1, 2, 3], 4), false, Severity::Ok),
            (card(8, 8, &[0, 1, 0, 1, 0, 1, 0, 1], 2), false, Severity::Ok),
        ];
        for (receiving, is_spread, expected) in rows {
            let found = judged(&receiving, is_spread, false);
            assert_eq!(found.severity, expected, "{found:?}");
        }
    }

    #[test]
    fn what_the_card_can_is_fixed_and_what_it_cannot_is_for_the_data_plane_to_spread() {
        let found = judged(&card(1, 2, &[0], 2), false, false);
        assert_eq!(found.mend.as_deref(), Some("ethtool -L eth0 combined 2"));
        assert!(found.fix.is_some(), "{found:?}");
        let found = judged(&card(1, 1, &[0], 2), false, false);
        assert!(found.mend.is_some_and(|mend| mend.contains("spread = \"all\"")) && found.fix.is_none());
        // The ledger is the daemon's while that runs.
        let found = judged(&card(1, 2, &[0], 2), false, true);
        assert!(
            found.mend.is_some_and(|mend| mend.starts_with("write queues = \"auto\"")) && found.fix.is_none()
        );
    }

    #[test]
    fn irqbalance_is_told_to_leave_these_interrupts() {
        let mend = moved_by_irqbalance(&[25, 27]).mend.unwrap();
        assert!(mend.starts_with("add --banirq=25 --banirq=27 to IRQBALANCE_ARGS"), "{mend}");
    }
}
