//! Health checks: whether backends can serve, found out by asking them.
//!
//! ```text
//! Config ── targets ──▶ schedule ── probe ──▶ tcp, http, tls, …     one check of one backend
//!                          │  ▲                     │
//!                          │  └── state ◀── Ok, or a Cause          what follows from outcomes in a row
//!                          ▼
//!                         View ──▶ reconcile                        who takes new flows, who keeps old ones
//! ```
//!
//! Checks run in a thread of their own: whatever the daemon is busy with, an answer is taken when it comes, and no backend is
//! thought late because the daemon was.

mod cause;
mod dns;
mod grpc;
mod http;
mod icmp;
mod latency;
mod limit;
mod peer;
mod probe;
mod schedule;
mod state;
mod targets;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod udp;
mod view;
mod ways;

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::watch;
use tokio::time;

pub use cause::{Cause, Unreachable};
pub use latency::{BOUNDS, LastCheck, Latency, LatencyFigures};
pub use state::FULL;
pub use targets::{Server, Targets, UnfitCheck};
pub use tls::TlsError;
pub use view::{Position, Standing, View};
pub use ways::Ways;

use schedule::Schedule;

/// The checks that run. Dropping it ends them.
#[derive(Debug)]
pub struct Checks {
    /// The targets, and how many there have been before them and with them.
    targets: watch::Sender<(u64, Arc<Targets>)>,
    view: watch::Receiver<Arc<View>>,
}

impl Checks {
    /// Starts to check, from the network namespace of this thread.
    pub fn start(first: Targets) -> io::Result<Self> {
        let (targets, targets_in) = watch::channel((1, Arc::new(first)));
        let (told, view) = watch::channel(Arc::default());
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let check = move || runtime.block_on(Schedule::new(limit::most_at_once()).run(targets_in, &told));
        thread::Builder::new().name("health".to_owned()).spawn(check)?;
        Ok(Self { targets, view })
    }

    /// Goes on with other targets. Those that were there before keep what is known of them; a backend that was not is down until
    /// a check has passed.
    pub fn watch(&self, targets: Targets) {
        let round = self.targets.borrow().0 + 1;
        self.targets.send_replace((round, Arc::new(targets)));
    }

    /// Waits until every backend has been checked once, within limits.
    pub async fn settle(&mut self, limit: Duration) {
        let round = self.targets.borrow().0;
        let decided = |view: &Arc<View>| view.round == round && view.undecided == 0;
        // Neither the end of the wait nor that of the checks is a failure here: outcomes may follow.
        let _ = time::timeout(limit, self.view.wait_for(decided)).await;
    }

    /// Waits until something is known that was not.
    pub async fn changed(&mut self) {
        if self.view.changed().await.is_err() {
            // The thread has ended, which it does only with the process.
            std::future::pending::<()>().await;
        }
    }

    /// What is known now, without taking notice of it: [`changed`](Self::changed) still tells of it.
    #[must_use]
    pub fn peek(&self) -> Arc<View> {
        self.view.borrow().clone()
    }

    /// What is known now.
    #[must_use]
    pub fn view(&mut self) -> Arc<View> {
        self.view.borrow_and_update().clone()
    }
}
