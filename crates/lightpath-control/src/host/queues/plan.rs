//! What to set for queues to be served by different CPUs. Nothing here asks the kernel.

use std::collections::BTreeSet;

use super::channels::Channels;
use super::indirection::written;
use super::{COMBINED, INDIRECTION, INTERRUPT, Kind, Receiving};
use crate::cpu_list;

/// How many queues there are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One for each CPU.
    ForEachCpu,
    /// So many.
    Count(u32),
}

/// Something to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// How many channels there are.
    Channels {
        /// Now.
        found: Channels,
        /// From then on.
        wanted: Channels,
    },
    /// Which queue each part of all hashes leads to.
    Indirection {
        /// Now.
        found: Vec<u32>,
        /// From then on: each queue as often as any other.
        wanted: Vec<u32>,
    },
    /// Where an interrupt comes to.
    Affinity {
        /// Its number.
        interrupt: u32,
        /// The CPUs it may come to now.
        found: BTreeSet<u32>,
        /// The one it is to come to.
        cpu: u32,
    },
}

impl Change {
    /// In which step of three it is made; those before decide what it is about.
    pub(super) const fn step(&self) -> &'static str {
        match self {
            Self::Channels { .. } => COMBINED,
            Self::Indirection { .. } => INDIRECTION,
            Self::Affinity { .. } => INTERRUPT,
        }
    }

    /// Its name in the ledger.
    #[must_use]
    pub fn setting(&self) -> String {
        match self {
            Self::Channels { found, .. } => found.kind.name().to_owned(),
            Self::Indirection { .. } => INDIRECTION.to_owned(),
            Self::Affinity { interrupt, .. } => format!("{INTERRUPT} {interrupt}"),
        }
    }

    /// The value found.
    #[must_use]
    pub fn found(&self) -> String {
        match self {
            Self::Channels { found, .. } => found.written(),
            Self::Indirection { found, .. } => written(found),
            Self::Affinity { found, .. } => cpu_list::write(found),
        }
    }

    /// The value to be set.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Channels { wanted, .. } => wanted.written(),
            Self::Indirection { wanted, .. } => written(wanted),
            Self::Affinity { cpu, .. } => cpu.to_string(),
        }
    }

    /// What to type for the same effect.
    #[must_use]
    pub fn command(&self, interface: &str) -> String {
        match self {
            Self::Channels { wanted: Channels { kind: Kind::Combined, count, .. }, .. } => {
                format!("ethtool -L {interface} combined {count}")
            }
            Self::Channels { wanted: Channels { count, sending, .. }, .. } => {
                format!("ethtool -L {interface} rx {count} tx {sending}")
            }
            Self::Indirection { wanted, .. } => {
                format!("ethtool -X {interface} equal {}", wanted.iter().max().map_or(1, |last| last + 1))
            }
            Self::Affinity { interrupt, cpu, .. } => {
                format!("echo {cpu} >/proc/irq/{interrupt}/smp_affinity_list")
            }
        }
    }
}

/// What to set, in this order. What follows channels that change is to be planned anew when they have.
#[must_use]
pub fn plan(receiving: &Receiving, wanted: Wanted) -> Vec<Change> {
    let cpus = u32::try_from(receiving.cpus.len()).unwrap_or(u32::MAX);
    let wanted = match wanted {
        Wanted::ForEachCpu => cpus,
        Wanted::Count(count) => count,
    };
    let mut changes = Vec::new();
    let mut queues = receiving.queues;
    if let Some(found) = receiving.channels {
        queues = wanted.min(found.most);
        if queues != found.count {
            // A CPU that has no channel of its own to send by shares one, which takes a lock: there are no fewer than before.
            let sending = match found.kind {
                Kind::Combined => queues,
                Kind::Apart => found.sending.max(queues.min(found.most_sending)),
            };
            changes.push(Change::Channels { found, wanted: Channels { count: queues, sending, ..found } });
        }
    }
    if let Some(found) = &receiving.indirection {
        let equal: Vec<u32> = (0..queues.max(1)).cycle().take(found.len()).collect();
        if shares(found, queues) != shares(&equal, queues) {
            changes.push(Change::Indirection { found: found.clone(), wanted: equal });
        }
    }
    for interrupt in receiving.interrupts.iter().filter(|interrupt| interrupt.queue < queues) {
        let Some(cpu) = receiving.cpus.get((interrupt.queue % cpus.max(1)) as usize) else { continue };
        if !(interrupt.allowed.len() == 1 && interrupt.allowed.contains(cpu)) {
            let found = interrupt.allowed.clone();
            changes.push(Change::Affinity { interrupt: interrupt.number, found, cpu: *cpu });
        }
    }
    changes
}

/// How often each queue is in a table, in ascending order, and how often one that is not there: drivers begin with any queue, so that
/// only the shares say whether a table is equal.
fn shares(table: &[u32], queues: u32) -> (Vec<usize>, usize) {
    let of = |queue| table.iter().filter(|other| **other == queue).count();
    let mut shares: Vec<usize> = (0..queues).map(of).collect();
    shares.sort_unstable();
    let beyond = table.iter().filter(|queue| **queue >= queues).count();
    (shares, beyond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::queues::Interrupt;

    fn card(count: u32, most: u32, cpus: u32) -> Receiving {
        let interrupt = |queue| Interrupt {
            number: 25 + queue,
            queue,
            allowed: (0..cpus).collect(),
            effective: BTreeSet::from([0]),
        };
        Receiving {
            channels: Some(Channels {
                kind: Kind::Combined,
                count,
                most,
                sending: count,
                most_sending: most,
            }),
            queues: count,
            indirection: Some((0..count).cycle().take(8).collect()),
            interrupts: (0..most).map(interrupt).collect(),
            cpus: (0..cpus).collect(),
        }
    }

    fn commands(receiving: &Receiving, wanted: Wanted) -> Vec<String> {
        plan(receiving, wanted).iter().map(|change| change.command("eth0")).collect()
    }

    #[test]
    fn each_cpu_gets_a_queue_and_each_queue_a_cpu() {
        assert_eq!(
            commands(&card(1, 4, 2), Wanted::ForEachCpu),
            [
                "ethtool -L eth0 combined 2",
                "ethtool -X eth0 equal 2",
                "echo 0 >/proc/irq/25/smp_affinity_list",
                "echo 1 >/proc/irq/26/smp_affinity_list",
            ]
        );
        let more_queues = card(4, 4, 2);
        let last = commands(&more_queues, Wanted::Count(4)).pop();
        assert_eq!(last.as_deref(), Some("echo 1 >/proc/irq/28/smp_affinity_list"));
    }

    #[test]
    fn a_card_has_no_more_queues_than_it_can() {
        let first = commands(&card(1, 2, 8), Wanted::ForEachCpu).into_iter().next();
        assert_eq!(first.as_deref(), Some("ethtool -L eth0 combined 2"));
    }

    #[test]
    fn cpus_near_the_card_come_first() {
        let mut receiving = card(2, 2, 4);
        receiving.cpus = vec![2, 3, 0, 1];
        assert_eq!(
            commands(&receiving, Wanted::ForEachCpu),
            ["echo 2 >/proc/irq/25/smp_affinity_list", "echo 3 >/proc/irq/26/smp_affinity_list"]
        );
    }

    #[test]
    fn what_is_as_it_should_be_is_left_alone() {
        let mut receiving = card(2, 2, 2);
        for interrupt in &mut receiving.interrupts {
            interrupt.allowed = BTreeSet::from([interrupt.queue]);
        }
        // Equal shares, in another order.
        receiving.indirection = Some(vec![1, 1, 0, 0, 1, 0, 1, 0]);
        assert_eq!(plan(&receiving, Wanted::ForEachCpu), []);
        receiving.indirection = Some(vec![0; 8]);
        assert_eq!(commands(&receiving, Wanted::ForEachCpu), ["ethtool -X eth0 equal 2"]);
    }

    #[test]
    fn an_interface_that_has_nothing_of_it_is_left_alone() {
        let veth =
            Receiving { channels: None, queues: 1, indirection: None, interrupts: vec![], cpus: vec![0, 1] };
        assert_eq!(plan(&veth, Wanted::ForEachCpu), []);
    }

    #[test]
    fn a_veth_gets_queues_to_send_by_as_well_and_never_fewer() {
        let channels =
            |count, sending| Channels { kind: Kind::Apart, count, most: 4, sending, most_sending: 4 };
        let mut veth =
            Receiving { channels: None, queues: 1, indirection: None, interrupts: vec![], cpus: vec![0, 1] };
        for (found, expected) in
            [((1, 1), "ethtool -L eth0 rx 2 tx 2"), ((4, 4), "ethtool -L eth0 rx 2 tx 4")]
        {
            veth.channels = Some(channels(found.0, found.1));
            assert_eq!(commands(&veth, Wanted::ForEachCpu), [expected]);
        }
    }
}
