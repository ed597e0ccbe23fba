//! Next hops: through which interface, from which MAC address and to which MAC address packets to a backend leave.
//!
//! The packet path only copies what it finds here. [`Watcher`] asks the kernel for routes, links and neighbours,
//! has it resolve the neighbours and keep them resolved, and follows every change over netlink.

mod events;
mod kernel;
mod look;
mod neighbours;
mod resolve;
mod view;
mod vlans;
mod watch;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;

pub use kernel::Error;
pub use look::look;
pub use vlans::{Vlans, vlans};
pub use watch::{Watcher, release};

/// Where packets to a backend go next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Index of the egress interface: of a VLAN interface, the one that it is on.
    pub interface: u32,
    /// Name of the egress interface.
    pub interface_name: String,
    /// The VLAN on which frames leave, 1 to 4094, when the route is by a VLAN interface.
    pub vlan: Option<u16>,
    /// MAC address of the interface that the route is by.
    pub source_mac: [u8; 6],
    /// MAC address of the backend, or of the gateway towards it.
    pub mac: [u8; 6],
    /// The least of the interfaces' MTUs and the route's own, in bytes of layer 3.
    pub mtu: u32,
    /// The address of this host that the kernel would send from (`RTA_PREFSRC` of its answer); `None` when it has none but
    /// link-local ones.
    pub source: Option<IpAddr>,
}

/// What is known of the way to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// Packets can be sent.
    Resolved(NextHop),
    /// Packets cannot be sent, and why.
    Unresolved(Reason),
}

/// Why packets cannot be sent to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No route matches.
    NoRoute,
    /// A route matches which leads to no other host.
    Refused(Refusal),
    /// The egress interface is down or has no carrier.
    LinkDown {
        /// Name of the interface.
        interface: String,
    },
    /// The neighbour has not answered ARP or neighbour solicitation, or not yet.
    NoAnswer {
        /// The backend, or the gateway towards it.
        address: IpAddr,
        /// Name of the interface on which it was asked for.
        interface: String,
    },
    /// The egress interface carries no Ethernet, or has no address of its own.
    NoMac {
        /// Name of the interface.
        interface: String,
    },
    /// This host has no address of the backend's family to send from, and needs one: for a tunnel, or `fullnat`.
    NoSource,
    /// The egress interface is a VLAN interface of a kind whose tags are not written.
    Vlan {
        /// Name of the interface.
        interface: String,
        /// What is in the way.
        problem: VlanProblem,
    },
}

/// Why frames cannot be tagged as a VLAN interface would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VlanProblem {
    /// It is on a VLAN interface itself, so frames would need two tags.
    Nested,
    /// Its tag is a service tag (802.1ad).
    ServiceTag,
    /// The interface it is on is in another network namespace.
    ParentElsewhere,
}

/// What a route does instead of leading to another host (rtnetlink(7), `rtm_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The address is one of this host.
    Local,
    /// A broadcast or multicast address.
    NotUnicast,
    /// A blackhole route.
    Blackhole,
    /// An unreachable route.
    Unreachable,
    /// A prohibit route.
    Prohibit,
    /// Another kind of route, or an error of the lookup: the kernel's number.
    Other(i32),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoute => f.write_str("no route: add one, or an address in the backend's network"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::LinkDown { interface } => write!(f, "{interface} is down or has no carrier"),
            Self::NoAnswer { address, interface } => {
                write!(f, "no answer from {address} on {interface}: is it up, and in the same network?")
            }
            Self::NoMac { interface } => {
                write!(f, "{interface} has no MAC address: backends must be reached over Ethernet")
            }
            Self::NoSource => f.write_str(
                "this host has no address of its family to send from: add one, or name one in the configuration",
            ),
            Self::Vlan { interface, problem } => {
                let problem = match problem {
                    VlanProblem::Nested => "is a VLAN within a VLAN",
                    VlanProblem::ServiceTag => "is an 802.1ad VLAN",
                    VlanProblem::ParentElsewhere => "is on an interface of another network namespace",
                };
                write!(f, "{interface} {problem}: use an 802.1Q VLAN of an interface of this host")
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("it is an address of this host: a backend must be another host"),
            Self::NotUnicast => f.write_str("it is a broadcast or multicast address"),
            Self::Blackhole => f.write_str("the route to it is a blackhole"),
            Self::Unreachable => f.write_str("the route to it says unreachable"),
            Self::Prohibit => f.write_str("the route to it says prohibited"),
            Self::Other(number) => write!(f, "the kernel gives no usable route to it ({number})"),
        }
    }
}
