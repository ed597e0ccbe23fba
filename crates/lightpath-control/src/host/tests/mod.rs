mod addresses;
mod announce;
mod ledger;
mod local;
mod nat;
mod queues;
mod wire;

use tempfile::TempDir;

use super::Ledger;

/// An empty ledger in a directory of its own.
fn ledger() -> (TempDir, Ledger) {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(directory.path().join("host.json")).unwrap();
    (directory, ledger)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
