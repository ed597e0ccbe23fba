use lightpath_abi::{Address, Backend, BackendNumber, Entry, NextHop, ServiceIndex, Source};

use crate::{FlowHash, Frame, Reason};

/// What becomes of a packet. It points to the tables where it can, which is less to carry than what is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict<'a> {
    /// Not ours: the kernel gets it untouched.
    Pass,
    /// It ends here.
    Drop(Drop),
    /// It goes on to a backend or back to a client.
    Forward(Forwarding<'a>),
    /// It ends here and becomes an answer to whoever sent it.
    Reply(Reply),
    /// For another stage to decide, which starts over; the packet is as it came.
    Defer(Stage),
}

/// What the fast path leaves to others, each a program of its own in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stage {
    /// The [slow path](crate::slow_path): fragments, and answers to packets that do not go on.
    Slow = 0,
    /// The [ICMP path](crate::icmp_path).
    Icmp = 1,
}

impl Stage {
    /// Every stage, in the order of its number.
    pub const ALL: [Self; 2] = [Self::Slow, Self::Icmp];
}

/// A packet that ends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drop {
    /// Why.
    pub reason: Reason,
    /// The service it was for; 0 when that is not known.
    pub service: ServiceIndex,
}

/// A packet that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forwarding<'a> {
    /// Which way.
    pub direction: Direction,
    /// The backend it goes to or came from.
    pub backend: BackendNumber,
    /// The service it belongs to.
    pub service: ServiceIndex,
    /// What changes in its headers.
    pub rewrite: Rewrite<'a>,
    /// How it leaves.
    pub egress: Egress<'a>,
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a client to a backend.
    ToBackend,
    /// From a backend to a client.
    ToClient,
}

/// What changes in a packet's IP and transport headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewrite<'a> {
    /// Nothing but the TTL.
    None,
    /// The destination becomes this backend: `nat` on the way there.
    Destination(&'a Backend),
    /// The source becomes this line's VIP: `nat` undone on the way to the client.
    Source(&'a Entry),
    /// An outer header before the packet: `ipip` and `gue`.
    Encapsulate(Outer<'a>),
}

/// The endpoints a packet has or leaves with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Source address.
    pub source: Address,
    /// Destination address, of the same family.
    pub destination: Address,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
}

impl Rewrite<'_> {
    /// The endpoints with which a packet leaves, inside of an outer header if it gets one.
    #[inline(always)]
    #[must_use]
    pub fn endpoints(&self, frame: &Frame) -> Endpoints {
        let old = Endpoints {
            source: frame.source,
            destination: frame.destination,
            source_port: frame.source_port,
            destination_port: frame.destination_port,
        };
        // Port 0 keeps the one it has.
        let port = |new: u16, old: u16| if new == 0 { old } else { new };
        match self {
            Self::None | Self::Encapsulate(_) => old,
            Self::Destination(backend) => Endpoints {
                destination: backend.address,
                destination_port: port(backend.port, old.destination_port),
                ..old
            },
            Self::Source(reply) => {
                Endpoints { source: reply.vip, source_port: port(reply.vip_port, old.source_port), ..old }
            }
        }
    }
}

/// The header that a tunnel puts before a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outer<'a> {
    /// Where it leads.
    pub backend: &'a Backend,
    /// This node's own addresses, of which the flow uses one.
    pub source: &'a Source,
    /// The flow, which decides on the source address and port.
    pub hash: FlowHash,
    /// Whether it is GUE, or else IPIP.
    pub gue: bool,
}

/// How a forwarded packet leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress<'a> {
    /// To a backend's neighbour.
    Backend(&'a NextHop),
    /// To the neighbour that this node's routing leads to.
    Routed(NextHop),
    /// Through the kernel's own forwarding, which resolves a neighbour it does not know yet. The kernel counts down the
    /// TTL, so it is left as it is.
    Kernel,
}

impl Egress<'_> {
    /// The neighbour, unless the kernel finds it.
    #[inline(always)]
    #[must_use]
    pub const fn hop(&self) -> Option<&NextHop> {
        match self {
            Self::Backend(hop) => Some(hop),
            Self::Routed(hop) => Some(hop),
            Self::Kernel => None,
        }
    }
}

/// A packet that becomes an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What is answered.
    pub kind: ReplyKind,
    /// Why the packet did not go on; none for what was meant for this node.
    pub reason: Option<Reason>,
    /// The service it was for; 0 when that is not known.
    pub service: ServiceIndex,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyKind {
    /// An echo reply (RFC 792, RFC 4443).
    Echo,
    /// A TCP reset (RFC 9293, 3.10.7.1).
    Reset,
    /// ICMP port unreachable (RFC 792; RFC 4443, 3.1).
    Unreachable,
    /// ICMP fragmentation needed (RFC 1191) or ICMPv6 packet too big (RFC 4443, 3.2).
    TooBig {
        /// Bytes of the largest packet that the sender may send.
        mtu: u16,
    },
}

impl ReplyKind {
    /// What is counted, in the order of its number.
    pub const NAMES: [&str; 4] = ["echo", "reset", "unreachable", "too-big"];

    /// Its place in [`NAMES`](Self::NAMES).
    #[inline(always)]
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Echo => 0,
            Self::Reset => 1,
            Self::Unreachable => 2,
            Self::TooBig { .. } => 3,
        }
    }
}
