//! Receive queues: how many an interface has, how packets are shared among them, and which CPU serves each.
//!
//! A queue is served by the CPU that its interrupt comes to, and a flow by the queue that the card's hash of it leads to. [`look`] finds
//! all that out, for the daemon and the doctor alike, and [`arrange`] changes it: what is to be set is decided in [`plan`], without the
//! kernel, and recorded in the ledger before it is done.

mod channels;
mod indirection;
mod interrupts;
mod plan;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

pub use channels::{Channels, Kind};
pub use interrupts::Interrupt;
pub use plan::{Change, Wanted, plan};

use super::Error;
use super::ledger::{Ledger, QueueSetting};
use crate::cpu_list;
use crate::model::Queues;

/// Names of settings in the ledger: channels that receive and send, channels apart for each, the table by which a hash leads to a queue,
/// and the CPUs of an interrupt, behind whose name comes its number.
pub(super) const COMBINED: &str = "combined";
pub(super) const APART: &str = "rx and tx";
pub(super) const INDIRECTION: &str = "indirection";
pub(super) const INTERRUPT: &str = "interrupt";

/// How an interface receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiving {
    /// Its channels; `None` if its driver has no say in them.
    pub channels: Option<Channels>,
    /// Its receive queues.
    pub queues: u32,
    /// The queue that each part of all hashes leads to; `None` if there is no such table.
    pub indirection: Option<Vec<u32>>,
    /// The interrupts of its queues, in the order of the queues; none for a virtual interface.
    pub interrupts: Vec<Interrupt>,
    /// CPUs that are online, those first that are near the card.
    pub cpus: Vec<u32>,
}

impl Receiving {
    /// The CPUs that the interrupts of receive queues come to.
    #[must_use]
    pub fn serving(&self) -> BTreeSet<u32> {
        self.interrupts.iter().flat_map(|interrupt| interrupt.effective.iter().copied()).collect()
    }
}

/// Looks at an interface of the calling thread's network namespace.
pub fn look(interface: &str) -> Result<Receiving, Error> {
    let ask = || -> io::Result<Receiving> {
        let device = Path::new("/sys/class/net").join(interface);
        let channels = channels::read(interface)?;
        let queues = match fs::read_dir(device.join("queues")) {
            Ok(entries) => entries
                .flatten()
                .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"rx-"))
                .count(),
            // The interface is of a namespace that sysfs is not mounted for.
            Err(_) => channels.map_or(1, |channels| channels.count as usize),
        };
        Ok(Receiving {
            channels,
            queues: u32::try_from(queues).unwrap_or(u32::MAX),
            indirection: indirection::read(interface)?,
            interrupts: interrupts::of(interface, &device, queues)?,
            cpus: cpus(&device)?,
        })
    };
    ask().map_err(|source| Error::Device { interface: interface.to_owned(), source })
}

/// The CPUs that are online.
pub fn online() -> Result<BTreeSet<u32>, Error> {
    list_in(Path::new("/sys/devices/system/cpu/online"))
        .map_err(|source| Error::Read { what: "which CPUs are online", source })
}

/// Those that are online, the ones on the card's memory node first.
fn cpus(device: &Path) -> io::Result<Vec<u32>> {
    let online = list_in(Path::new("/sys/devices/system/cpu/online"))?;
    // A device without a node of its own says so in several ways; all CPUs are equally far then.
    let local = list_in(&device.join("device/local_cpulist")).unwrap_or_default();
    let (near, far): (Vec<u32>, Vec<u32>) = online.into_iter().partition(|cpu| local.contains(cpu));
    Ok([near, far].concat())
}

fn list_in(path: &Path) -> io::Result<BTreeSet<u32>> {
    let text = fs::read_to_string(path)?;
    cpu_list::parse(&text)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{text:?} is no list of CPUs")))
}

/// Gives an interface so many queues each way. For those of a lab: nothing is recorded.
pub fn set_channels(interface: &str, count: u32) -> Result<(), Error> {
    let failed = |source| Error::Device { interface: interface.to_owned(), source };
    let channels = channels::read(interface).map_err(failed)?;
    let channels = channels.ok_or_else(|| failed(io::ErrorKind::Unsupported.into()))?;
    write(interface, channels.kind.name(), &Channels { count, sending: count, ..channels }.written())
}

/// Sets queues, indirection and interrupts of an interface as wanted. What was changed, and what could not be.
///
/// With every step the interface is looked at anew, because each may change what the next one finds.
pub fn arrange(interface: &str, queues: Queues, ledger: &mut Ledger) -> (Vec<QueueSetting>, Vec<Error>) {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    let wanted = match queues {
        Queues::Keep => return (done, failed),
        Queues::Auto => Wanted::ForEachCpu,
        Queues::Count(count) => Wanted::Count(count.into()),
    };
    for step in [COMBINED, INDIRECTION, INTERRUPT] {
        let changes = match look(interface) {
            Ok(receiving) => plan(&receiving, wanted),
            Err(error) => {
                failed.push(error);
                return (done, failed);
            }
        };
        for change in changes.into_iter().filter(|change| change.step() == step) {
            match set(interface, &change, ledger) {
                Ok(setting) => done.push(setting),
                Err(error) => failed.push(error),
            }
        }
    }
    (done, failed)
}

fn set(interface: &str, change: &Change, ledger: &mut Ledger) -> Result<QueueSetting, Error> {
    let [setting, previous, value] = [change.setting(), change.found(), change.value()];
    let entry = QueueSetting { interface: interface.to_owned(), setting, previous, set: value };
    let before = ledger.queues().iter().find(|known| known.is_about_the_same_as(&entry)).cloned();
    ledger.record_queues(entry.clone())?;
    if let Err(error) = write(interface, &entry.setting, &entry.set) {
        // Nothing of it is to be taken back; what was set before it still is.
        match before {
            Some(before) => ledger.record_queues(before)?,
            None => ledger.forget_queues(&entry)?,
        }
        return Err(error);
    }
    Ok(entry)
}

fn write(interface: &str, setting: &str, value: &str) -> Result<(), Error> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "no such setting");
    let written = match setting.split_once(' ') {
        Some((INTERRUPT, number)) => {
            number.parse().map_err(|_| wrong()).and_then(|number| interrupts::write(number, value))
        }
        _ if setting == INDIRECTION => indirection::write(interface, value),
        _ => match Kind::named(setting) {
            Some(kind) => channels::write(interface, kind, value),
            None => Err(wrong()),
        },
    };
    written.map_err(|source| Error::Queues {
        interface: interface.to_owned(),
        setting: setting.to_owned(),
        value: value.to_owned(),
        source,
    })
}

/// The value that a setting has now; `None` if there is nothing that has it any more.
fn read(interface: &str, setting: &str) -> Result<Option<String>, Error> {
    let ask = || -> io::Result<Option<String>> {
        if nix::net::if_::if_nametoindex(interface).is_err() {
            return Ok(None);
        }
        if let Some((INTERRUPT, number)) = setting.split_once(' ') {
            // After a start of the host the number may be another device's.
            let receiving = look(interface).map_err(io::Error::other)?;
            let own = receiving.interrupts.iter().find(|interrupt| interrupt.number.to_string() == number);
            return Ok(own.map(|interrupt| cpu_list::write(&interrupt.allowed)));
        }
        if setting == INDIRECTION {
            return Ok(indirection::read(interface)?.map(|table| indirection::written(&table)));
        }
        let channels = channels::read(interface)?;
        Ok(channels.filter(|channels| channels.kind.name() == setting).map(|channels| channels.written()))
    };
    ask().map_err(|source| Error::Device { interface: interface.to_owned(), source })
}

/// Puts back what was found, the latest first, unless somebody has set something else since; gives what failed.
pub(super) fn restore_all(ledger: &mut Ledger) -> Vec<Error> {
    let entries = ledger.queues().to_vec();
    entries.iter().rev().filter_map(|entry| restore(entry, ledger).err()).collect()
}

fn restore(entry: &QueueSetting, ledger: &mut Ledger) -> Result<(), Error> {
    match read(&entry.interface, &entry.setting)? {
        Some(value) if value == entry.set => write(&entry.interface, &entry.setting, &entry.previous)?,
        Some(value) => {
            let QueueSetting { interface, setting, .. } = entry;
            tracing::info!(interface, setting, value, "was changed by others: left as it is");
        }
        None => {}
    }
    Ok(ledger.forget_queues(entry)?)
}
