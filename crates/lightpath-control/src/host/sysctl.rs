//! Sysctls: set where they differ, remembered, and put back where nobody else has changed them since.
//!
//! Those below `net/` belong to the network namespace of the calling thread.

use std::fs;
use std::io;
use std::path::Path;

use super::Error;
use super::ledger::{Ledger, Sysctl};

/// Where the kernel shows its sysctls.
const ROOT: &str = "/proc/sys";

/// Sets the sysctl at `path` below /proc/sys to `value` if it has another, and records what it was.
pub fn set(path: &str, value: &str, ledger: &mut Ledger) -> Result<(), Error> {
    let previous = read(path)?;
    if previous == value {
        return Ok(());
    }
    ledger.record_sysctl(Sysctl { path: path.to_owned(), previous, set: value.to_owned() })?;
    write(path, value)
}

/// The value of the sysctl at `path` below /proc/sys.
pub fn read(path: &str) -> Result<String, Error> {
    fs::read_to_string(Path::new(ROOT).join(path))
        .map(|text| text.trim().to_owned())
        .map_err(|source| Error::Sysctl { action: "read".to_owned(), path: path.to_owned(), source })
}

/// Whether this kernel has the sysctl.
pub(super) fn exists(path: &str) -> bool {
    Path::new(ROOT).join(path).exists()
}

/// Puts back what was found, unless somebody has set another value since, and forgets the record.
pub(super) fn restore(entry: &Sysctl, ledger: &mut Ledger) -> Result<(), Error> {
    match read(&entry.path) {
        Ok(value) if value == entry.set => write(&entry.path, &entry.previous)?,
        Ok(value) => tracing::info!(path = entry.path, value, "sysctl was changed by others: left as it is"),
        // Its interface is gone, and the setting with it.
        Err(Error::Sysctl { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(ledger.forget_sysctl(&entry.path)?)
}

/// Puts back all sysctls, the latest first; gives what failed.
pub(super) fn restore_all(ledger: &mut Ledger) -> Vec<Error> {
    let entries = ledger.sysctls().to_vec();
    entries.iter().rev().filter_map(|entry| restore(entry, ledger).err()).collect()
}

/// Sets the sysctl at `path` below /proc/sys, without a record.
pub fn write(path: &str, value: &str) -> Result<(), Error> {
    fs::write(Path::new(ROOT).join(path), value).map_err(|source| Error::Sysctl {
        action: format!("set to {value}"),
        path: path.to_owned(),
        source,
    })
}
