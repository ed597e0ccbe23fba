//! Why a backend is down, in the words that operators read.

use std::io;
use std::time::Duration;

use crate::model::{Record, Statuses};

/// Why a check failed, or why a backend is down without one that did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// It is new, and no check of it has ended.
    #[error("its first check has not ended yet")]
    Unchecked,
    /// Its checks pass, but it has gone down too soon after its last return.
    #[error("it passes its checks again, and is held down because it went down soon after its last return")]
    Held,
    /// There was no answer, or not all of it, in time.
    #[error("timed out after {}", seconds(*.0))]
    TimedOut(Duration),
    /// Nobody listens.
    #[error("connection refused")]
    Refused,
    /// The other end broke the connection off.
    #[error("connection reset")]
    Reset,
    /// The other end closed the connection before it had answered.
    #[error("connection closed without an answer")]
    Closed,
    /// There is no way to it.
    #[error("{0} unreachable")]
    Unreachable(Unreachable),
    /// Another error of the network.
    #[error("{0}")]
    Network(String),
    /// A status that is not good.
    #[error("status {got}, want {want}")]
    Status {
        /// What was answered.
        got: u16,
        /// What is good.
        want: Statuses,
    },
    /// An answer without what it must contain.
    #[error("{read} bytes of the answer do not contain {want:?}")]
    Missing {
        /// How much was looked at.
        read: usize,
        /// What they must contain.
        want: String,
    },
    /// More than is read of an answer, which does not contain by then what it must.
    #[error("the answer is longer than {limit} bytes, which do not contain {want:?}")]
    TooLong {
        /// Where reading ended.
        limit: usize,
        /// What they must contain.
        want: String,
    },
    /// No TLS connection came about.
    #[error("TLS: {0}")]
    Tls(String),
    /// The answer breaks the rules of its protocol.
    #[error("the answer is not {protocol}: {problem}")]
    Malformed {
        /// What it should be.
        protocol: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// gRPC refused the call.
    #[error("gRPC status {code}{}", grpc_words(*code))]
    Grpc {
        /// As in `grpc-status`.
        code: u32,
    },
    /// The gRPC service says that it does not serve.
    #[error("the gRPC health service says {0}")]
    NotServing(&'static str),
    /// A name server answered with an error.
    #[error("DNS error {0}")]
    DnsError(String),
    /// A name server answered without a record that was asked for.
    #[error("the answer has no {record} record{}", of(expect.as_ref()))]
    NoRecord {
        /// What was asked for.
        record: Record,
        /// What it must hold.
        expect: Option<std::net::IpAddr>,
    },
    /// An answer came, but to another question.
    #[error("the answer is to another question: {0}")]
    OtherQuestion(&'static str),
    /// Through the data plane, nobody answers for the VIP on it.
    #[error("{cause} through the data plane: {hint}")]
    NotThrough {
        /// What came of the check.
        cause: Box<Self>,
        /// What it takes for an answer.
        hint: String,
    },
    /// This host could not make the check, which says nothing of the backend.
    #[error("this host cannot check: {0}")]
    Local(String),
}

/// What there is no way to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// The host: nobody answers for its address, or a router said so.
    Host,
    /// Its network.
    Network,
    /// Its port, or a filter forbids it.
    Port,
}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::Network => "network",
            Self::Port => "port",
        })
    }
}

impl Cause {
    /// A short name to count by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Held => "held",
            Self::TimedOut(_) => "timed-out",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Unreachable(_) => "unreachable",
            Self::Network(_) => "network",
            Self::Status { .. } => "status",
            Self::Missing { .. } | Self::TooLong { .. } => "content",
            Self::Tls(_) => "tls",
            Self::Malformed { .. } => "malformed",
            Self::Grpc { .. } | Self::NotServing(_) => "grpc",
            Self::DnsError(_) | Self::NoRecord { .. } | Self::OtherQuestion(_) => "dns",
            Self::NotThrough { cause, .. } => cause.name(),
            Self::Local(_) => "local",
        }
    }

    /// Whether it says nothing of the backend.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind;
        // What hyper and rustls wrap in an error of theirs keeps its kind, but not its number.
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => Self::Reset,
            ErrorKind::UnexpectedEof => Self::Closed,
            ErrorKind::HostUnreachable => Self::Unreachable(Unreachable::Host),
            ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => Self::Unreachable(Unreachable::Network),
            ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied | ErrorKind::OutOfMemory => {
                Self::Local(error.to_string())
            }
            _ => match error.raw_os_error() {
                // Out of file descriptors, or of buffers.
                Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS) => Self::Local(error.to_string()),
                Some(libc::ENOPROTOOPT | libc::EPROTO) => Self::Unreachable(Unreachable::Port),
                _ => Self::Network(error.to_string()),
            },
        }
    }
}

fn seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

fn of(expect: Option<&std::net::IpAddr>) -> String {
    expect.map_or_else(String::new, |address| format!(" of {address}"))
}

/// The codes that a health check meets (grpc/doc/statuscodes.md).
fn grpc_words(code: u32) -> &'static str {
    match code {
        5 => ": it does not know the service",
        7 => ": permission denied",
        12 => ": it has no health service",
        14 => ": unavailable",
        16 => ": unauthenticated",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_read_as_an_operator_would_say_them() {
        let want = Statuses::new(vec![200..=200]).unwrap();
        for (cause, words) in [
            (Cause::TimedOut(Duration::from_secs(1)), "timed out after 1 s"),
            (Cause::TimedOut(Duration::from_millis(1500)), "timed out after 1500 ms"),
            (Cause::Status { got: 503, want }, "status 503, want 200"),
            (Cause::Unreachable(Unreachable::Host), "host unreachable"),
            (Cause::Grpc { code: 12 }, "gRPC status 12: it has no health service"),
            (Cause::NoRecord { record: Record::A, expect: None }, "the answer has no A record"),
            (io::Error::from_raw_os_error(libc::ECONNREFUSED).into(), "connection refused"),
            (io::Error::from_raw_os_error(libc::EHOSTUNREACH).into(), "host unreachable"),
            (io::Error::from(io::ErrorKind::UnexpectedEof).into(), "connection closed without an answer"),
        ] {
            assert_eq!(cause.to_string(), words);
        }
    }

    #[test]
    fn what_this_host_lacks_is_no_fault_of_a_backend() {
        for number in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::EADDRNOTAVAIL, libc::EPERM] {
            assert!(Cause::from(io::Error::from_raw_os_error(number)).is_local(), "{number}");
        }
    }
}
