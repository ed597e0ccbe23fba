use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

/// Packets are spread over queues, and their interrupts over processors: one queue is served by one processor.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Finding>> {
    let online =
        fs::read_to_string("/sys/devices/system/cpu/online").context("which processors are online")?;
    let processors = numbers(&online).len();
    let table = fs::read_to_string("/proc/interrupts").context("/proc/interrupts")?;
    let look = |name: &String| -> Result<Finding> {
        let device = Path::new("/sys/class/net").join(name);
        let queues = receive_queues(&device)?;
        let interrupts: Vec<u32> =
            interrupts(&device).into_iter().filter(|number| is_used(&table, *number)).collect();
        let mut serving = BTreeSet::new();
        for number in &interrupts {
            serving.extend(affinity(*number));
        }
        Ok(judge(name, queues, &interrupts, serving.len(), processors))
    };
    around.interfaces().iter().map(look).collect()
}

fn judge(name: &str, queues: usize, interrupts: &[u32], serving: usize, processors: usize) -> Finding {
    if interrupts.is_empty() {
        return Finding::ok(name, format_args!("receive queues: {queues}; it has no interrupts of its own"));
    }
    let could = queues.min(processors);
    if queues == 1 && processors > 1 {
        let what = format!("one receive queue, on a host of {processors} processors");
        return Finding::hint(name, what, "a single processor carries all its packets")
            .mend(format_args!("ethtool -L {name} combined {processors}"));
    }
    if serving < could {
        let what =
            format!("{queues} receive queues, whose interrupts go to {serving} of {processors} processors");
        let each = interrupts.iter().enumerate();
        let each = each.map(|(index, number)| {
            format!("echo {} >/proc/irq/{number}/smp_affinity_list", index % processors)
        });
        return Finding::warning(name, what, "the others idle while these drop packets under load")
            .mend(each.collect::<Vec<_>>().join("; "));
    }
    Finding::ok(name, format_args!("receive queues: {queues}, on {serving} of {processors} processors"))
}

fn receive_queues(device: &Path) -> Result<usize> {
    let path = device.join("queues");
    let entries = fs::read_dir(&path).with_context(|| path.display().to_string())?;
    Ok(entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"rx-")).count())
}

/// The interrupts of a device, or of the card that it is a part of, as with virtio.
fn interrupts(device: &Path) -> Vec<u32> {
    let places: [PathBuf; 2] = ["device/msi_irqs", "device/../msi_irqs"].map(|place| device.join(place));
    let entries = places.iter().find_map(|place| fs::read_dir(place).ok()).into_iter().flatten().flatten();
    let mut found: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    found.sort_unstable();
    found
}

/// Whether a driver handles an interrupt for data: it is in the table, and not one for configuration.
fn is_used(table: &str, number: u32) -> bool {
    let mut lines = table.lines().filter_map(|line| line.trim_start().split_once(':'));
    let line = lines.find(|(found, _)| found.parse() == Ok(number));
    line.is_some_and(|(_, rest)| {
        !["config", "control", "async", "misc"].iter().any(|word| rest.contains(word))
    })
}

/// The processors that an interrupt really goes to.
fn affinity(number: u32) -> BTreeSet<usize> {
    let read = |name| fs::read_to_string(format!("/proc/irq/{number}/{name}")).ok();
    let effective = read("effective_affinity_list").filter(|text| !text.trim().is_empty());
    effective.or_else(|| read("smp_affinity_list")).map(|text| numbers(&text)).unwrap_or_default()
}

/// The numbers of a list as the kernel writes them: 0-3,8.
fn numbers(list: &str) -> BTreeSet<usize> {
    let parts = list.trim().split(',').filter_map(|part| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some(from.parse().ok()?..=to.parse().ok()?)
    });
    parts.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Severity;

    const TABLE: &str = "           CPU0       CPU1\n  24:  0  0  PCI-MSIX-0000:00:02.0  0-edge  virtio0-config\n  \
                         25:  9  0  PCI-MSIX-0000:00:02.0  1-edge  virtio0-input.0\n LOC:  1  2  Local timer interrupts\n";

    #[test]
    fn interrupts_count_when_they_bring_packets() {
        assert_eq!([24, 25, 26].map(|number| is_used(TABLE, number)), [false, true, false]);
    }

    #[test]
    fn lists_of_processors_are_ranges_and_numbers() {
        assert_eq!(numbers("0-3,8\n"), BTreeSet::from([0, 1, 2, 3, 8]));
        assert_eq!(numbers("\n"), BTreeSet::new());
    }

    #[test]
    fn queues_on_fewer_processors_than_could_serve_them_are_a_warning() {
        let rows = [
            (4, vec![], 0, 4, Severity::Ok),
            (1, vec![25], 1, 4, Severity::Hint),
            (1, vec![25], 1, 1, Severity::Ok),
            (4, vec![25, 26, 27, 28], 1, 4, Severity::Warning),
            (4, vec![25, 26, 27, 28], 4, 4, Severity::Ok),
            (8, vec![25, 26, 27, 28], 2, 2, Severity::Ok),
        ];
        for (queues, interrupts, serving, processors, expected) in rows {
            let found = judge("eth0", queues, &interrupts, serving, processors);
            assert_eq!(found.severity, expected, "{found:?}");
        }
    }
}
