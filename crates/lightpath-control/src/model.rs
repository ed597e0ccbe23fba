//! What an operator asked for, after validation: illegal configurations cannot be written in these types.
//!
//! Everything downstream (tables, announcements, status) starts from [`Config`]; nothing downstream reads TOML.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A validated configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Settings of this host.
    pub node: Node,
    /// The services, in file order; names and (VIP, ports, protocol) are unique.
    pub services: Vec<Service>,
}

/// Settings of the host that forwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Interfaces that get the XDP program; at least one, no repetition.
    pub interfaces: Vec<String>,
    /// How the program is attached.
    pub xdp_mode: XdpMode,
    /// Where metrics are served, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// Whether VIPs become addresses of this node.
    pub announce: Announce,
    /// Seed of the flow hash; every node of a cluster uses the same.
    pub hash_seed: String,
}

/// How the XDP program is attached to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpMode {
    /// In the driver where the driver can, else generic with a warning.
    Auto,
    /// In the driver, or not at all.
    Native,
    /// After the driver has made an skb: works everywhere, costs several times as much per packet.
    Generic,
}

/// How clients learn where a VIP is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// The VIP becomes a /32 or /128 address of the node and is announced by gratuitous ARP or unsolicited NA.
    Address,
    /// Somebody else routes the VIP to this node.
    None,
}

/// A virtual address, ports and protocol, and the backends behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Unique name, used in every message, metric and command.
    pub name: String,
    /// The virtual address.
    pub vip: IpAddr,
    /// The ports clients talk to.
    pub ports: Ports,
    /// The transport protocol.
    pub protocol: Protocol,
    /// How packets reach a backend.
    pub forward: Forward,
    /// What keeps a client with one backend.
    pub sticky: Sticky,
    /// Slots in the Maglev table: a prime.
    pub slots: u32,
    /// The backends; (address, port) is unique within the service.
    pub backends: Vec<Backend>,
}

/// A real server behind a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its address, of the VIP's family.
    pub address: IpAddr,
    /// The port its packets get: always `Some` behind a service of one port, where it is that port unless the backend
    /// has another. Always `None` behind a range or every port, where the client's port is kept.
    pub port: Option<u16>,
    /// Its share of new flows relative to the other backends; 0 takes none.
    pub weight: u16,
}

/// The ports of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ports {
    /// One port, not 0.
    One(u16),
    /// An inclusive range with `first < last`, not from 0.
    Range(u16, u16),
    /// Every port.
    Any,
}

impl Ports {
    /// First and last port, inclusive.
    #[must_use]
    pub fn bounds(self) -> (u16, u16) {
        match self {
            Self::One(port) => (port, port),
            Self::Range(first, last) => (first, last),
            Self::Any => (0, u16::MAX),
        }
    }

    /// The port, when there is exactly one.
    #[must_use]
    pub fn single(self) -> Option<u16> {
        match self {
            Self::One(port) => Some(port),
            Self::Range(..) | Self::Any => None,
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(port) => write!(f, "{port}"),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
            Self::Any => f.write_str("any"),
        }
    }
}

/// The transport protocol of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// As in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How packets reach a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forward {
    /// Destination rewritten; replies return through this node.
    Nat,
    /// Only the MAC addresses are rewritten; replies go straight to the client.
    Dsr,
}

impl Forward {
    /// As in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::Dsr => "dsr",
        }
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What keeps a client with one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// Each flow is placed by its 5-tuple.
    None,
    /// All flows of a source address are placed together.
    SourceIp,
}
