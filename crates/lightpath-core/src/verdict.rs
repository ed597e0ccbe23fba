use lightpath_abi::{
    Address, Backend, BackendNumber, Entry, Features, NextHop, ServiceIndex, Session, Source,
};

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
    /// The [session path](crate::session_path): `fullnat`.
    Session = 2,
    /// The [opening path](crate::opening_path): flows of `fullnat` that have no session yet.
    Opening = 3,
    /// The [answer path](crate::answer_path): what `fullnat` does not send on.
    Answer = 4,
    /// The [session error path](crate::session_error_path): ICMP errors about flows of `fullnat`.
    SessionError = 5,
}

impl Stage {
    /// Every stage, in the order of its number.
    pub const ALL: [Self; 6] =
        [Self::Slow, Self::Icmp, Self::Session, Self::Opening, Self::Answer, Self::SessionError];

    /// The feature without which it is never gone on to; the others are always there.
    #[must_use]
    pub const fn feature(self) -> Features {
        match self {
            Self::Slow | Self::Icmp => Features(0),
            Self::Session | Self::Opening | Self::Answer | Self::SessionError => Features::FULLNAT,
        }
    }
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
    /// Whether it opens a flow, as far as packets show it: a TCP SYN to a backend.
    pub opens: bool,
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
    /// The source becomes this node, the destination this session's backend: `fullnat` on the way there.
    ToBackend(&'a Session),
    /// The source becomes this session's VIP, the destination its client: `fullnat` undone on the way to the client.
    ToClient(&'a Session),
}

/// The endpoints a packet has or leaves with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Source address.
    pub source: Address,
    /// Destination address, of the same family as the source.
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
            Self::ToBackend(session) => session_endpoints(session, Direction::ToBackend),
            Self::ToClient(session) => session_endpoints(session, Direction::ToClient),
        }
    }

    /// The rewrite of a session's packets in a direction.
    #[inline(always)]
    pub(crate) const fn of_session(session: &Session, direction: Direction) -> Rewrite<'_> {
        match direction {
            Direction::ToBackend => Rewrite::ToBackend(session),
            Direction::ToClient => Rewrite::ToClient(session),
        }
    }
}

/// The endpoints with which a session's packets leave.
#[inline(always)]
pub(crate) fn session_endpoints(session: &Session, direction: Direction) -> Endpoints {
    match direction {
        Direction::ToBackend => Endpoints {
            source: session.node(),
            destination: session.backend(),
            source_port: session.node_port(),
            destination_port: session.backend_port(),
        },
        Direction::ToClient => Endpoints {
            source: session.vip(),
            destination: session.client(),
            source_port: session.vip_port(),
            destination_port: session.client_port(),
        },
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
    ///
    /// Interface 0 is the kernel's own forwarding, which resolves a neighbour that it does not know yet, and sends where XDP cannot.
    /// The kernel counts down the TTL, so it is left as it is. This is no variant of its own, because one without a next hop would
    /// leave undefined what the compiler carries along in its place.
    Routed(NextHop),
}

impl Egress<'_> {
    /// Index of the interface that the packet leaves by; 0 if the kernel sends it.
    #[inline(always)]
    #[must_use]
    pub const fn interface(&self) -> u32 {
        match self {
            Self::Backend(hop) => hop.interface,
            Self::Routed(hop) => hop.interface,
        }
    }

    /// The neighbour, unless the kernel finds it.
    #[inline(always)]
    #[must_use]
    pub const fn hop(&self) -> Option<&NextHop> {
        match self {
            Self::Backend(hop) => Some(hop),
            Self::Routed(hop) if hop.interface == 0 => None,
            Self::Routed(hop) => Some(hop),
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

impl Reply {
    /// As one word, if it is one of those that sessions are answered with.
    #[inline(always)]
    pub(crate) fn to_word(self) -> u64 {
        let mtu = if let ReplyKind::TooBig { mtu } = self.kind { mtu } else { 0 };
        let reason = self.reason.map_or(0, |reason| reason as u64);
        reason << 48 | u64::from(self.kind.number()) << 32 | u64::from(mtu) << 16 | u64::from(self.service)
    }

    /// From its word.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "each part is taken in turn")]
    pub(crate) fn from_word(word: u64) -> Self {
        let reason = match word >> 48 {
            reason if reason == Reason::NoBackend as u64 => Reason::NoBackend,
            reason if reason == Reason::PortsExhausted as u64 => Reason::PortsExhausted,
            reason if reason == Reason::NoSession as u64 => Reason::NoSession,
            _ => Reason::TooBig,
        };
        let kind = match word >> 32 & 0xffff {
            1 => ReplyKind::Reset,
            2 => ReplyKind::Unreachable,
            _ => ReplyKind::TooBig { mtu: (word >> 16) as u16 },
        };
        Self { kind, reason: Some(reason), service: word as u16 }
    }
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

const _: () = assert!(ReplyKind::NAMES.len() <= ReplyKind::ROOM as usize);

impl ReplyKind {
    /// Kinds that the map of counters has room for, as with [`Reason::ROOM`].
    pub const ROOM: u32 = 16;

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
