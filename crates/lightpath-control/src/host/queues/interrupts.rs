//! The interrupts of receive queues, and the CPUs that they come to.
//!
//! Since Linux 6.8 the kernel tells which interrupt a queue has (netlink family `netdev`), for drivers that tell it. Of the others sysfs
//! lists the interrupts of the device, and /proc/interrupts has their names, in which drivers say which queue each is of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use nix::net::if_::if_nametoindex;

use super::super::generic_netlink::{Family, attribute, attributes};
use crate::cpu_list;

/// `NETDEV_CMD_QUEUE_GET`, `_NAPI_GET` and their attributes (uapi/linux/netdev.h, since Linux 6.8, bc877956272f).
const QUEUE_GET: u8 = 10;
const QUEUE_ID: u16 = 1;
const QUEUE_IFINDEX: u16 = 2;
const QUEUE_TYPE: u16 = 3;
const QUEUE_NAPI_ID: u16 = 4;
const RECEIVES: u32 = 0;
const NAPI_GET: u8 = 11;
const NAPI_ID: u16 = 2;
const NAPI_IRQ: u16 = 3;

/// An interrupt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// Its number.
    pub number: u32,
    /// The receive queue that it is of.
    pub queue: u32,
    /// The CPUs that it may come to.
    pub allowed: BTreeSet<u32>,
    /// Those that it comes to.
    pub effective: BTreeSet<u32>,
}

/// The interrupts of receive queues, in the order of the queues.
pub(super) fn of(interface: &str, device: &Path, queues: usize) -> io::Result<Vec<Interrupt>> {
    let mut numbers = told(interface, queues)?;
    if numbers.is_empty() {
        let table = fs::read_to_string("/proc/interrupts")?;
        numbers = named(&table, &of_device(device));
    }
    let mut found = Vec::new();
    for (queue, number) in numbers {
        let read = |name: &str| -> Option<BTreeSet<u32>> {
            cpu_list::parse(&fs::read_to_string(format!("/proc/irq/{number}/{name}")).ok()?)
        };
        // It may have gone since it was listed.
        let Some(allowed) = read("smp_affinity_list") else { continue };
        let effective = read("effective_affinity_list").filter(|cpus| !cpus.is_empty());
        let effective = effective.unwrap_or_else(|| allowed.clone());
        found.push(Interrupt { number, queue, allowed, effective });
    }
    Ok(found)
}

/// Queue and interrupt, as far as kernel and driver tell.
fn told(interface: &str, queues: usize) -> io::Result<Vec<(u32, u32)>> {
    let Some(netdev) = Family::named("netdev")? else { return Ok(Vec::new()) };
    let index: u32 = if_nametoindex(interface)?;
    let mut found = Vec::new();
    for queue in (0..u32::MAX).take(queues) {
        let question = [
            attribute(QUEUE_IFINDEX, &index.to_ne_bytes()),
            attribute(QUEUE_TYPE, &RECEIVES.to_ne_bytes()),
            attribute(QUEUE_ID, &queue.to_ne_bytes()),
        ];
        // An older kernel does not know the question, and an interface that is down has no such queue.
        let Ok(answer) = netdev.ask(QUEUE_GET, &question.concat()) else { return Ok(Vec::new()) };
        let Some(napi) = number(&answer, QUEUE_NAPI_ID) else { return Ok(Vec::new()) };
        let Ok(answer) = netdev.ask(NAPI_GET, &attribute(NAPI_ID, &napi.to_ne_bytes())) else {
            return Ok(Vec::new());
        };
        let Some(interrupt) = number(&answer, NAPI_IRQ) else { return Ok(Vec::new()) };
        found.push((queue, interrupt));
    }
    Ok(found)
}

fn number(answer: &[u8], wanted: u16) -> Option<u32> {
    let value = attributes(answer).find(|(kind, _)| *kind == wanted)?.1;
    value.try_into().ok().map(u32::from_ne_bytes)
}

/// The interrupts of a device, or of the card that it is a part of, as with virtio.
fn of_device(device: &Path) -> BTreeSet<u32> {
    let places = ["device/msi_irqs", "device/../msi_irqs"].map(|place| device.join(place));
    let entries = places.iter().find_map(|place| fs::read_dir(place).ok()).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Queue and interrupt, by the names that drivers give to interrupts: `virtio0-input.1`, `eth0-TxRx-1`, `mlx5_comp1@pci:0000:00:02.0`.
/// A device's own name alone (`eth2`) says nothing of a queue; those of configuration are left out too, and those that only send.
fn named(table: &str, numbers: &BTreeSet<u32>) -> Vec<(u32, u32)> {
    const OTHERS: [&str; 7] = ["config", "control", "async", "misc", "output", "-tx-", "mgmnt"];
    let mut found = BTreeMap::new();
    for line in table.lines() {
        let Some((number, rest)) = line.trim_start().split_once(':') else { continue };
        let Some(number) = number.parse().ok().filter(|number| numbers.contains(number)) else { continue };
        let name = rest.split_whitespace().last().unwrap_or_default();
        let name = name.split('@').next().unwrap_or_default();
        if !name.contains(['-', '.', '_']) || OTHERS.iter().any(|word| name.contains(word)) {
            continue;
        }
        let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        if let Ok(queue) = name[name.len() - digits..].parse() {
            found.entry(queue).or_insert(number);
        }
    }
    found.into_iter().collect()
}

/// Has an interrupt come to these CPUs.
pub(super) fn write(number: u32, cpus: &str) -> io::Result<()> {
    fs::write(format!("/proc/irq/{number}/smp_affinity_list"), cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "           CPU0       CPU1
  24:  0  0  PCI-MSIX-0000:00:02.0  0-edge  virtio0-config
  25:  9  0  PCI-MSIX-0000:00:02.0  1-edge  virtio0-input.0
  26:  0  3  PCI-MSIX-0000:00:02.0  2-edge  virtio0-output.0
  27:  0  3  PCI-MSIX-0000:00:02.0  3-edge  virtio0-input.1
  40:  0  3  PCI-MSIX-0000:00:03.0  0-edge  mlx5_async0@pci:0000:00:03.0
  42:  0  3  PCI-MSIX-0000:00:03.0  2-edge  mlx5_comp1@pci:0000:00:03.0
  41:  0  3  PCI-MSIX-0000:00:03.0  1-edge  mlx5_comp0@pci:0000:00:03.0
  50:  0  3  PCI-MSIX-0000:00:04.0  1-edge  eth2-TxRx-0
  51:  0  3  PCI-MSIX-0000:00:04.0  2-edge  eth2
 LOC:  1  2  Local timer interrupts
";

    #[test]
    fn interrupts_are_those_that_bring_packets_in_the_order_of_their_queues() {
        for (numbers, expected) in [
            (vec![24, 25, 26, 27], vec![(0, 25), (1, 27)]),
            (vec![40, 41, 42], vec![(0, 41), (1, 42)]),
            (vec![50, 51], vec![(0, 50)]),
            (vec![], vec![]),
        ] {
            assert_eq!(named(TABLE, &numbers.into_iter().collect()), expected);
        }
    }
}
