//! Requests without a pause, while something is done to the balancer.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lightpath_lab::{HttpConnection, Load, Namespace};

use super::eventually;

/// Less than a second: a SYN that is lost is sent again after one (RFC 6298), which must count as a failure here. More than
/// what a busy machine takes for an answer.
const TIMEOUT: Duration = Duration::from_millis(900);
/// Enough for a SYN that a busy link has lost to be sent again.
const LONG: Duration = Duration::from_millis(3500);
const BATCH: usize = 20;

/// A client that makes requests on fresh connections, four at a time, and others on one connection that it keeps.
#[derive(Debug)]
pub(crate) struct Traffic {
    answered: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Traffic {
    /// Starts it.
    pub(crate) fn start(client: &Namespace, to: SocketAddr) -> Self {
        Self::with_timeout(client, to, TIMEOUT)
    }

    /// Starts one that bears with a busy link. Whether the balancer lost something has to be seen elsewhere.
    pub(crate) fn patient(client: &Namespace, to: SocketAddr) -> Self {
        Self::with_timeout(client, to, LONG)
    }

    fn with_timeout(client: &Namespace, to: SocketAddr, timeout: Duration) -> Self {
        let (answered, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let thread = thread::spawn({
            let (client, answered, stop) = (client.clone(), Arc::clone(&answered), Arc::clone(&stop));
            move || send(&client, to, timeout, &answered, &stop)
        });
        Self { answered, stop, thread }
    }

    /// Waits until so many requests more have been answered.
    pub(crate) fn goes_on_for(&self, requests: usize) {
        let before = self.answered.load(Ordering::Relaxed);
        eventually("requests are answered", || {
            self.thread.is_finished() || self.answered.load(Ordering::Relaxed) >= before + requests
        });
    }

    /// Ends it; how many requests were answered, all of those that were made.
    pub(crate) fn finish(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("every request is answered");
        self.answered.load(Ordering::Relaxed)
    }
}

fn send(client: &Namespace, to: SocketAddr, timeout: Duration, answered: &AtomicUsize, stop: &AtomicBool) {
    let mut kept = HttpConnection::open(client, None, to, timeout).unwrap();
    let backend = kept.get("/", timeout).unwrap().backend;
    let load = Load { to, sources: Vec::new(), requests: BATCH, concurrency: 4, timeout };
    while !stop.load(Ordering::Relaxed) {
        for answer in load.run(client).unwrap() {
            answer.unwrap();
        }
        assert_eq!(kept.get("/", timeout).unwrap().backend, backend, "a connection stays with its backend");
        answered.fetch_add(BATCH + 1, Ordering::Relaxed);
    }
}

/// TCP segments that a host has sent, as its kernel counts them, and how many of them it has sent again.
pub(crate) fn tcp_segments_sent(host: &Namespace) -> (u64, u64) {
    // RFC 4022 counts those that are sent again apart.
    let [sent, again] = ["OutSegs", "RetransSegs"].map(|name| tcp_counter(host, name));
    (sent + again, again)
}

/// Resets that a host has sent: it got packets of connections that it does not know.
pub(crate) fn tcp_resets_sent(host: &Namespace) -> u64 {
    tcp_counter(host, "OutRsts")
}

fn tcp_counter(host: &Namespace, wanted: &str) -> u64 {
    let snmp = host.run(|| fs::read_to_string("/proc/thread-self/net/snmp")).unwrap().unwrap();
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut counters = names.split(' ').zip(values.split(' '));
    counters.find(|(name, _)| *name == wanted).unwrap().1.parse().unwrap()
}
