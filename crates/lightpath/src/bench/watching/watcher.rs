//! Those who watch, while packets are sent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use lightpath_lab::Namespace;

use super::stand::{METRICS, Pace, Stand};
use crate::cli::Wanted;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watcher {
    Nobody,
    /// Somebody who reads the metrics once.
    Metrics,
    /// Somebody who captures one packet in so many.
    Capture {
        every: u32,
    },
}

/// What was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// What packets took.
    pub(super) pace: Pace,
    /// How long it took to read the metrics.
    pub(super) reading: Option<Duration>,
}

impl Watcher {
    /// Has packets sent for so long, while it watches.
    pub(super) fn watch(self, stand: &mut Stand, time: Duration) -> Result<Seen> {
        match self {
            Self::Nobody => Ok(Seen { pace: stand.send(time)?, reading: None }),
            Self::Metrics => read_metrics(stand, time),
            Self::Capture { every } => Ok(Seen { pace: capture(stand, time, every)?, reading: None }),
        }
    }
}

fn read_metrics(stand: &mut Stand, time: Duration) -> Result<Seen> {
    let host = stand.host.clone();
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            // Packets are under way by then.
            thread::sleep(time / 4);
            read_once(&host)
        });
        let pace = stand.send(time)?;
        let reading = reader.join().map_err(|_| anyhow!("whoever reads the metrics panicked"))??;
        Ok(Seen { pace, reading: Some(reading) })
    })
}

fn read_once(host: &Namespace) -> Result<Duration> {
    let began = Instant::now();
    let mut stream = host.run(|| TcpStream::connect_timeout(&METRICS, PATIENCE))??;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let took = began.elapsed();
    ensure!(answer.starts_with("HTTP/1.1 200") && answer.contains("# EOF"), "no metrics: {answer:.200}");
    Ok(took)
}

fn capture(stand: &mut Stand, time: Duration, every: u32) -> Result<Pace> {
    let usual = stand.program()?;
    let wanted = Wanted { every, count: u64::MAX, size: u64::MAX, seconds: 3600, ..Wanted::default() };
    let body = serde_json::to_string(&wanted)?;
    let mut stream = UnixStream::connect(stand.daemon.socket())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = "POST /v1/capture HTTP/1.1\r\nHost: lightpath\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
    stand.wait_for(usual, false)?;
    let mut reading = stream.try_clone()?;
    let (pace, taken) = thread::scope(|scope| {
        let reader = scope.spawn(move || take(&mut reading));
        let pace = stand.send(time);
        // Nobody reads any more, and so the daemon ends the capture.
        stream.shutdown(Shutdown::Both)?;
        let taken = reader.join().map_err(|_| anyhow!("whoever reads the capture panicked"))??;
        Ok::<_, anyhow::Error>((pace?, taken))
    })?;
    ensure!(taken > HEAD, "nothing was captured");
    stand.wait_for(usual, true)?;
    Ok(pace)
}

/// More bytes than an answer has before the first packet.
const HEAD: usize = 1000;

/// Takes all that comes; how many bytes there were.
fn take(stream: &mut UnixStream) -> Result<usize> {
    let mut some = vec![0; 1 << 16];
    let mut taken = 0;
    loop {
        match stream.read(&mut some).context("the capture cannot be read")? {
            0 => return Ok(taken),
            bytes => taken += bytes,
        }
    }
}
