//! How many checks this host makes at once.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

/// More would not be answered sooner, by this host at least.
const MOST: u64 = 4096;
/// A process is always allowed some files.
const FEWEST: u64 = 64;

/// Allows this process the files that it may have, and says how many checks may run: each has a socket, and the daemon needs
/// files for other things too.
pub(super) fn most_at_once() -> usize {
    let allowed = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        // Programs that count up to the limit are the reason why it is low at first (systemd's NEWS for version 240).
        let wanted = hard.min(4 * MOST).max(soft);
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
        Ok(wanted)
    });
    let files = allowed.unwrap_or_else(|error| {
        warn!(%error, "the number of open files cannot be raised, so fewer checks run at once");
        2 * FEWEST
    });
    usize::try_from((files / 2).clamp(FEWEST, MOST)).unwrap_or(usize::MAX)
}
