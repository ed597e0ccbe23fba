//! The record of what Lightpath has changed on this host: a JSON file that is replaced as a whole.
//!
//! ```json
//! { "version": 1,
//!   "addresses": [ { "interface": "eth0", "address": "203.0.113.10" } ],
//!   "sysctls": [ { "path": "net/ipv4/conf/eth0/forwarding", "previous": "0", "set": "1" } ],
//!   "queues": [ { "interface": "eth0", "setting": "combined", "previous": "1", "set": "4" } ] }
//! ```
//!
//! `queues` is left out where there is nothing to say of them. A Lightpath that does not know of it forgets it with its next change.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::persist;

/// The version this program writes, and the only one it reads.
const VERSION: u32 = 1;

/// The ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The ledger.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is damaged.
    #[error(
        "{} is damaged ({source}). It lists what Lightpath changed on this host: restore it from a backup, or \
         take VIPs off the interfaces and reset sysctls by hand, and delete it", .path.display()
    )]
    Damaged {
        /// The ledger.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// It was written by a program that knows more.
    #[error(
        "{} has version {version}, this Lightpath knows version {VERSION}: use the Lightpath that wrote it", 
        .path.display()
    )]
    Version {
        /// The ledger.
        path: PathBuf,
        /// The version it states.
        version: u32,
    },
    /// It could not be written; the host was not changed.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The ledger.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// An address that Lightpath has added to an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// Name of the interface.
    pub interface: String,
    /// The address; its prefix is always /32 or /128.
    pub address: IpAddr,
}

/// A sysctl that Lightpath has set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sysctl {
    /// The path below /proc/sys; interface names may hold dots, so it is not the dotted form.
    pub path: String,
    /// The value found.
    pub previous: String,
    /// The value set.
    pub set: String,
}

/// Something about the queues of an interface that Lightpath has set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSetting {
    /// Name of the interface.
    pub interface: String,
    /// What was set, by its name in [`queues`](super::queues).
    pub setting: String,
    /// The value found.
    pub previous: String,
    /// The value set.
    pub set: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Contents {
    version: u32,
    addresses: Vec<Address>,
    sysctls: Vec<Sysctl>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    queues: Vec<QueueSetting>,
}

impl QueueSetting {
    pub(super) fn is_about_the_same_as(&self, other: &Self) -> bool {
        self.interface == other.interface && self.setting == other.setting
    }
}

/// What Lightpath has changed on this host and not taken back.
///
/// Every change of it is on disk before the call returns.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    contents: Contents,
}

impl Ledger {
    /// Reads the ledger; a file that does not exist is an empty ledger. Its directory must exist.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        match fs::read(&path) {
            Ok(text) => Ok(Self { contents: parse(&path, &text)?, path }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                let contents = Contents {
                    version: VERSION,
                    addresses: Vec::new(),
                    sysctls: Vec::new(),
                    queues: Vec::new(),
                };
                Ok(Self { path, contents })
            }
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// The addresses Lightpath has added, oldest first.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.contents.addresses
    }

    /// The sysctls Lightpath has set, oldest first.
    #[must_use]
    pub fn sysctls(&self) -> &[Sysctl] {
        &self.contents.sysctls
    }

    /// What Lightpath has set about queues, oldest first.
    #[must_use]
    pub fn queues(&self) -> &[QueueSetting] {
        &self.contents.queues
    }

    pub(super) fn record_addresses(&mut self, entries: &[Address]) -> Result<(), Error> {
        let known: BTreeSet<&Address> = self.contents.addresses.iter().collect();
        let new: Vec<Address> = entries.iter().filter(|entry| !known.contains(entry)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        self.change(|contents| contents.addresses.extend(new))
    }

    pub(super) fn forget_addresses(&mut self, entries: &[Address]) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let gone: BTreeSet<&Address> = entries.iter().collect();
        self.change(|contents| contents.addresses.retain(|entry| !gone.contains(entry)))
    }

    /// Replaces what is recorded of the same sysctl: the value found now is the operator's.
    pub(super) fn record_sysctl(&mut self, entry: Sysctl) -> Result<(), Error> {
        self.change(|contents| {
            contents.sysctls.retain(|other| other.path != entry.path);
            contents.sysctls.push(entry);
        })
    }

    pub(super) fn forget_sysctl(&mut self, path: &str) -> Result<(), Error> {
        self.change(|contents| contents.sysctls.retain(|other| other.path != path))
    }

    /// Replaces what is recorded of the same setting. If the value found now is one that was set here before, the operator's is still
    /// the one that was found then.
    pub(super) fn record_queues(&mut self, mut entry: QueueSetting) -> Result<(), Error> {
        self.change(|contents| {
            if let Some(known) = contents.queues.iter().find(|known| known.is_about_the_same_as(&entry))
                && known.set == entry.previous
            {
                entry.previous.clone_from(&known.previous);
            }
            contents.queues.retain(|known| !known.is_about_the_same_as(&entry));
            contents.queues.push(entry);
        })
    }

    pub(super) fn forget_queues(&mut self, entry: &QueueSetting) -> Result<(), Error> {
        self.change(|contents| contents.queues.retain(|known| !known.is_about_the_same_as(entry)))
    }

    fn change(&mut self, change: impl FnOnce(&mut Contents)) -> Result<(), Error> {
        let mut contents = self.contents.clone();
        change(&mut contents);
        persist::replace(&self.path, &contents)
            .map_err(|source| Error::Write { path: self.path.clone(), source })?;
        self.contents = contents;
        Ok(())
    }
}

fn parse(path: &Path, text: &[u8]) -> Result<Contents, Error> {
    /// Read first: a later version may have any other shape.
    #[derive(Deserialize)]
    struct Header {
        version: u32,
    }
    let damaged = |source| Error::Damaged { path: path.to_owned(), source };
    let Header { version } = serde_json::from_slice(text).map_err(damaged)?;
    if version != VERSION {
        return Err(Error::Version { path: path.to_owned(), version });
    }
    serde_json::from_slice(text).map_err(damaged)
}
