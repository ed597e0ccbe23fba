//! The demonstration as something to watch: requests go on, and `lightpath top` shows what becomes of them.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use lightpath_lab::{Load, Namespace};

use super::bed::Bed;
use super::configuration::SERVICES;

/// Between the rounds of requests: it is to be watched, not measured.
const PAUSE: Duration = Duration::from_millis(100);
const OF_A_ROUND: usize = 10;

/// Whether somebody could watch.
pub(super) fn needs_a_terminal() -> Result<()> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return Ok(());
    }
    bail!("demo --watch needs a terminal; demo --hold does without")
}

/// Opens `lightpath top` on the running setup, until somebody has seen enough.
pub(super) fn watch(bed: &Bed) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let (client, stopped) = (bed.lab.client.ns.clone(), Arc::clone(&stop));
    let traffic = thread::spawn(move || request(&client, &stopped));
    print!("\nRequests go on. The status page is at http://{}/. Enter opens `lightpath top`: ", bed.page()?);
    io::stdout().flush()?;
    io::stdin().read_line(&mut String::new())?;
    let ended = bed.lightpath(&["top"])?.status();
    stop.store(true, Ordering::Relaxed);
    // Its failures are in what was watched.
    drop(traffic.join());
    let ended = ended?;
    if ended.success() { Ok(()) } else { bail!("lightpath top fails: {ended}") }
}

/// Makes requests to every service until it is stopped.
fn request(client: &Namespace, stopped: &AtomicBool) {
    while !stopped.load(Ordering::Relaxed) {
        for service in SERVICES {
            let load = Load {
                to: service.address(),
                sources: service.clients(),
                requests: OF_A_ROUND,
                concurrency: 2,
                timeout: Duration::from_secs(1),
            };
            drop(load.run(client));
        }
        thread::sleep(PAUSE);
    }
}
