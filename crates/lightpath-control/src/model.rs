//! What an operator asked for, after validation: illegal configurations cannot be written in these types.
//!
//! Everything downstream (tables, announcements, status) starts from [`Config`]; nothing downstream reads TOML.

mod health;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use ipnet::IpNet;

pub use health::*;

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
    /// Where the API is served beside the Unix socket, if anywhere.
    pub api: Option<Api>,
    /// Whether VIPs become addresses of this node.
    pub announce: Announce,
    /// Seed of the flow hash; every node of a cluster uses the same.
    pub hash_seed: String,
    /// Prefixes that the outer packets of tunnels come from, without host bits and disjoint. A family without one uses the
    /// address that the kernel would send from.
    pub tunnel_sources: Vec<IpNet>,
    /// Addresses that packets of `fullnat` come from, likewise.
    pub snat_addresses: Vec<IpNet>,
    /// Ports that packets of `fullnat` come from, not from 0; `None` leaves it to what the host does not use.
    pub snat_ports: Option<RangeInclusive<u16>>,
    /// How many receive queues the interfaces have, and which CPUs serve them.
    pub queues: Queues,
    /// The CPUs that packets are spread over by the data plane itself.
    pub spread: Spread,
}

/// The receive queues of the interfaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Queues {
    /// As they are.
    #[default]
    Keep,
    /// As many as there are CPUs or as the card has, each served by another CPU.
    Auto,
    /// So many if the card has them, likewise; not 0.
    Count(u16),
}

/// Over which CPUs the data plane spreads the packets of an interface, whichever CPU receives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Spread {
    /// None: each packet is balanced by the CPU that receives it.
    #[default]
    Off,
    /// All that are online.
    All,
    /// These; at least one.
    Over(BTreeSet<u32>),
}

/// The API on an address that other hosts can reach: over TLS, for who has the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// The address.
    pub listen: SocketAddr,
    /// The file that holds the token.
    pub token_file: PathBuf,
    /// The file of the server's certificates.
    pub certificate: PathBuf,
    /// The file of their key.
    pub key: PathBuf,
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
    /// What becomes of packets while no backend can take them.
    pub when_empty: WhenEmpty,
    /// How connection IDs name backends; only where the protocol is QUIC.
    pub quic: Option<Quic>,
    /// How the backends are checked; `None` takes them all for healthy.
    pub health: Option<Health>,
    /// The backends; (address, port) is unique within the service.
    pub backends: Vec<Backend>,
}

/// A real server behind a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its address: of the VIP's family with `nat` and `dsr`, of either with `fullnat` and in a tunnel.
    pub address: IpAddr,
    /// The port its packets get: always `Some` behind a service of one port, where it is that port unless the backend
    /// has another. Always `None` behind a range or every port, where the client's port is kept.
    pub port: Option<u16>,
    /// Its share of new flows relative to the other backends; 0 takes none.
    pub weight: u16,
    /// Its identity in connection IDs: `Some` for exactly the backends of services with [`Service::quic`], unique there and
    /// of the length that it says.
    pub server_id: Option<ServerId>,
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

    /// Of two services with a port, it belongs to the one where this is higher.
    #[must_use]
    pub fn specificity(self) -> u8 {
        match self {
            Self::Any => 0,
            Self::Range(..) => 1,
            Self::One(_) => 2,
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
    /// QUIC, which is UDP with connection IDs.
    Quic,
}

impl Protocol {
    /// As in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Quic => "quic",
        }
    }

    /// The protocol that its ports belong to.
    #[must_use]
    pub fn transport(self) -> Self {
        match self {
            Self::Tcp => Self::Tcp,
            Self::Udp | Self::Quic => Self::Udp,
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
    /// Encapsulated in IP; replies go straight to the client.
    Ipip,
    /// Encapsulated in UDP (GUE, variant 1); replies go straight to the client.
    Gue,
    /// Source and destination rewritten; replies return to this node from anywhere.
    FullNat,
}

impl Forward {
    /// As in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::Dsr => "dsr",
            Self::Ipip => "ipip",
            Self::Gue => "gue",
            Self::FullNat => "fullnat",
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

/// What becomes of packets to a service while no backend can take them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenEmpty {
    /// The client is told: by a TCP reset, or by ICMP port unreachable.
    Reject,
    /// Nothing is said.
    Drop,
}

/// How the connection IDs of a QUIC service carry its backends' identities
/// (draft-ietf-quic-load-balancers, section 3, and 4.1 for IDs in plain text).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quic {
    /// Bytes of a server ID, 1 to 15.
    pub server_id_length: u8,
    /// The configuration that its connection IDs say they are of, 0 to 6.
    pub config_id: u8,
}

/// The identity of a backend in QUIC connection IDs: 1 to 15 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId {
    /// The bytes, followed by zeros.
    bytes: [u8; 16],
    length: u8,
}

impl ServerId {
    /// Bytes of the longest.
    pub const LONGEST: usize = 15;

    /// The identity of these bytes, if they are not too few or too many.
    #[must_use]
    pub fn new(id: &[u8]) -> Option<Self> {
        let length = u8::try_from(id.len()).ok().filter(|_| (1..=Self::LONGEST).contains(&id.len()))?;
        let mut bytes = [0; 16];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { bytes, length })
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerId({self})")
    }
}
