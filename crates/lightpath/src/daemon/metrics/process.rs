//! What the daemon itself takes, by the names that Prometheus' client libraries give.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::metric::{Kind, Metric, Samples};

/// What a process takes; what the kernel does not tell is left out.
#[derive(Clone, Debug)]
pub(super) struct Usage {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<u64>,
    open_files: Option<u64>,
    /// When it started, as Unix time.
    start: f64,
}

impl Usage {
    /// Of this process, which started then, at this moment.
    pub(super) fn now(started: SystemTime) -> Self {
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok();
        Self {
            cpu_seconds: usage.map(|usage| seconds(usage.user_time()) + seconds(usage.system_time())),
            resident_bytes: resident_bytes(),
            // The directory is open itself while it is read.
            open_files: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|files| (files.count() as u64).saturating_sub(1)),
            start: started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a float holds the microseconds of 285 years")]
fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// From proc_pid_status(5), which counts in units of 1,024 bytes.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "process_cpu",
        kind: Kind::Counter,
        unit: Some("seconds"),
        labels: &[],
        help: "Processor time of the daemon; the packet path runs in the kernel and is not in it",
        read: |figures, samples| optional(samples, figures.usage.cpu_seconds),
    },
    Metric {
        name: "process_resident_memory",
        kind: Kind::Gauge,
        unit: Some("bytes"),
        labels: &[],
        help: "Memory of the daemon, with what it has mapped of the tables",
        read: |figures, samples| optional(samples, figures.usage.resident_bytes),
    },
    Metric {
        name: "process_open_fds",
        kind: Kind::Gauge,
        unit: None,
        labels: &[],
        help: "Open file descriptors of the daemon",
        read: |figures, samples| optional(samples, figures.usage.open_files),
    },
    Metric {
        name: "process_start_time",
        kind: Kind::Gauge,
        unit: Some("seconds"),
        labels: &[],
        help: "When the daemon started, as Unix time",
        read: |figures, samples| samples.add([], figures.usage.start),
    },
];

fn optional(samples: &mut Samples<'_>, value: Option<impl Into<super::metric::Value>>) -> std::fmt::Result {
    value.map_or(Ok(()), |value| samples.add([], value))
}
