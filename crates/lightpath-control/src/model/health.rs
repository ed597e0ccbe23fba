//! How the backends of a service are checked.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// The checks of a service's backends, and what follows from them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Health {
    /// What is asked of a backend.
    pub check: Check,
    /// The way that checks take.
    pub via: Via,
    /// The port it is asked at; `None` is the port its packets get, which it then has. ICMP has neither.
    pub port: Option<u16>,
    /// From the beginning of a check to that of the next, at most.
    pub interval: Duration,
    /// How long a check may take in all, at most the interval.
    pub timeout: Duration,
    /// Passed checks in a row that bring a backend back, not 0.
    pub rise: u32,
    /// Failed checks in a row that take a backend out, not 0.
    pub fall: u32,
    /// What becomes of the flows of a backend that is down.
    pub on_down: OnDown,
    /// How long the share of a backend that came up takes to grow to its full size; 0 is at once.
    pub slow_start: Duration,
    /// A backend that goes down again within this time of its return stays down as long, and longer each further time; 0
    /// holds none down.
    pub hold_down: Duration,
    /// Percent of backends: while fewer than that are healthy, all are used. 0 never does.
    pub panic_threshold: u8,
}

/// The way that checks take to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// Straight to its address.
    Direct,
    /// To the VIP, as clients' packets reach it. Only `dsr`, `ipip` and `gue`, and no ICMP.
    Datapath,
}

/// What becomes of the flows of a backend that is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnDown {
    /// They go to other backends at once.
    Move,
    /// They stay, as in a drain.
    Keep,
}

/// What is asked of a backend, and what answer is good.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// It accepts a connection.
    Tcp,
    /// It answers a request.
    Http(HttpCheck),
    /// It answers a request over TLS.
    Https(HttpCheck, Tls),
    /// It says by the gRPC health protocol that this service is serving; an empty name is the server as a whole.
    Grpc(String),
    /// The same over TLS.
    Grpcs(String, Tls),
    /// It answers a question to a name server.
    Dns(DnsCheck),
    /// It answers a datagram.
    Udp(UdpCheck),
    /// It answers an echo request.
    Icmp,
}

impl Check {
    /// As in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http(_) => "http",
            Self::Https(..) => "https",
            Self::Grpc(_) => "grpc",
            Self::Grpcs(..) => "grpcs",
            Self::Dns(_) => "dns",
            Self::Udp(_) => "udp",
            Self::Icmp => "icmp",
        }
    }

    /// Whether it is made to a port.
    #[must_use]
    pub fn has_port(&self) -> bool {
        !matches!(self, Self::Icmp)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A request, and what answer is good.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpCheck {
    /// `GET` or `HEAD`.
    pub method: Method,
    /// What is asked for, from the slash on, with its query.
    pub path: String,
    /// The host header; `None` is the backend's address and port.
    pub host: Option<String>,
    /// Statuses that are good.
    pub status: Statuses,
    /// What the answer contains, if that matters; not with `HEAD`.
    pub body: Option<String>,
}

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// `GET`.
    Get,
    /// `HEAD`: no body comes back.
    Head,
}

/// HTTP statuses: at least one, each from 100 to 599.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Statuses {
    /// Those in any of these ranges; `None` when there is no range, or one that is empty or has what is no status.
    #[must_use]
    pub fn new(ranges: Vec<RangeInclusive<u16>>) -> Option<Self> {
        let is_valid =
            |range: &RangeInclusive<u16>| !range.is_empty() && *range.start() >= 100 && *range.end() <= 599;
        (!ranges.is_empty() && ranges.iter().all(is_valid)).then_some(Self(ranges))
    }

    /// Whether a status is among them.
    #[must_use]
    pub fn contain(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }

    fn bounds(&self) -> impl Iterator<Item = (u16, u16)> {
        self.0.iter().map(|range| (*range.start(), *range.end()))
    }
}

impl PartialOrd for Statuses {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Statuses {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bounds().cmp(other.bounds())
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.bounds().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            if first == last {
                write!(f, "{separator}{first}")?;
            } else {
                write!(f, "{separator}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

/// How the other end of a TLS connection proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tls {
    /// The name that is asked for (SNI) and must be in the certificate; `None` is the host of the request or, where that is
    /// not written either, the backend's address.
    pub server_name: Option<String>,
    /// Who must have signed the certificate.
    pub trust: Trust,
}

/// Who must have signed a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// An authority that this host trusts.
    Host,
    /// An authority in this file, of certificates in PEM.
    File(PathBuf),
    /// Nobody: neither signature nor name matter.
    Anybody,
}

/// A question to a name server, and what answer is good.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DnsCheck {
    /// The name that is asked for, without a dot at its end; empty for the root.
    pub name: String,
    /// What is asked of it.
    pub record: Record,
    /// An address that must be in the answer, of the family that is asked for; `None` takes any.
    pub expect: Option<IpAddr>,
}

/// The type of a DNS record (RFC 1035, section 3.2.2; RFC 3596).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Record {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// The beginning of a zone.
    Soa,
    /// Name servers.
    Ns,
    /// Text.
    Txt,
}

impl Record {
    /// As in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Soa => "SOA",
            Self::Ns => "NS",
            Self::Txt => "TXT",
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A datagram, and what answer is good.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UdpCheck {
    /// What is sent, at most 1,232 bytes.
    pub send: Vec<u8>,
    /// What the answer contains; `None` takes any answer.
    pub expect: Option<Vec<u8>>,
}
