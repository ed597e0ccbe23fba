//! Somebody who follows what the daemon sends without an end.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::PATIENCE;

/// Server-sent events, as they come.
#[derive(Debug)]
pub(crate) struct Follower {
    news: Receiver<Value>,
    /// What has come so far.
    pub(crate) seen: Vec<Value>,
}

impl Follower {
    /// Of GET `path`, with further lines in the request's head.
    pub(crate) fn of(socket: &Path, path: &str, head: &str) -> Self {
        let mut stream = UnixStream::connect(socket).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: lightpath\r\n{head}\r\n").unwrap();
        let (told, news) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { return };
                assert!(!line.starts_with("HTTP/1.1") || line.starts_with("HTTP/1.1 200"), "{line}");
                if let Some(data) = line.strip_prefix("data: ")
                    && told.send(serde_json::from_str(data).unwrap()).is_err()
                {
                    return;
                }
            }
        });
        Self { news, seen: Vec::new() }
    }

    /// The next for which `is_meant` holds.
    pub(crate) fn waits_for(&mut self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let next = self.news.recv_timeout(left);
            let next = next.unwrap_or_else(|_| panic!("no {what} after {:#?}", self.seen));
            self.seen.push(next.clone());
            if is_meant(&next) {
                return next;
            }
        }
    }

    /// The next event of a kind.
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        self.waits_for(kind, |event| event["event"] == kind)
    }

    /// What has come and was not looked at, once nothing more comes for a while.
    pub(crate) fn rest(&mut self) -> &[Value] {
        while let Ok(next) = self.news.recv_timeout(Duration::from_millis(300)) {
            self.seen.push(next);
        }
        &self.seen
    }
}
