/// Why a packet was dropped. Each is a counter, a metric label and a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Reason {
    /// The IP header is cut short or contradicts itself.
    IpHeader = 0,
    /// The IP length is more than the frame carries, or less than the headers take.
    IpLength = 1,
    /// The TCP or UDP header is cut short or contradicts the IP length.
    TransportHeader = 2,
    /// An IPv6 extension header that cannot be walked past, or too many of them.
    ExtensionHeader = 3,
    /// A fragment whose datagram's first fragment was not seen, so that nothing tells its backend.
    Fragment = 4,
    /// The TTL or hop limit does not allow another hop.
    TtlExpired = 5,
    /// The service has no backend that can take the packet.
    NoBackend = 6,
    /// A slot names a backend that the tables do not have.
    StaleSlot = 7,
    /// The backend's next hop is not known.
    NoNextHop = 8,
    /// This node's routes forbid a backend's reply: blackhole, unreachable or prohibit.
    NoRoute = 9,
    /// The packet is bigger than its way on takes.
    TooBig = 10,
    /// This node does not forward packets (`net.ipv4.ip_forward`), so a backend's reply cannot leave it.
    ForwardingOff = 11,
    /// A header that was parsed could not be rewritten.
    Rewrite = 12,
    /// No service is at this port of the VIP, and the VIP is no address of this node that its kernel could answer for.
    NoService = 13,
    /// This node has no address of the backend's family to send from.
    NoSource = 14,
    /// `fullnat`: every port that was tried for a new flow is in use, or there are as many flows as this node can hold.
    PortsExhausted = 15,
    /// `fullnat`: a TCP packet of no connection that is known, and that opens none.
    NoSession = 16,
    /// `fullnat`: the packet would have to change from one version of IP to the other, which its options, extension headers or
    /// missing checksum do not allow, or that it is a fragment.
    Untranslatable = 17,
}

impl Reason {
    /// Reasons that the map of counters has room for. It is pinned, and would be another map with another size.
    pub const ROOM: u32 = 64;

    /// Every reason, in the order of its number.
    pub const ALL: [Self; 18] = [
        Self::IpHeader,
        Self::IpLength,
        Self::TransportHeader,
        Self::ExtensionHeader,
        Self::Fragment,
        Self::TtlExpired,
        Self::NoBackend,
        Self::StaleSlot,
        Self::NoNextHop,
        Self::NoRoute,
        Self::TooBig,
        Self::ForwardingOff,
        Self::Rewrite,
        Self::NoService,
        Self::NoSource,
        Self::PortsExhausted,
        Self::NoSession,
        Self::Untranslatable,
    ];

    /// As in metrics and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IpHeader => "ip-header",
            Self::IpLength => "ip-length",
            Self::TransportHeader => "transport-header",
            Self::ExtensionHeader => "extension-header",
            Self::Fragment => "fragment",
            Self::TtlExpired => "ttl-expired",
            Self::NoBackend => "no-backend",
            Self::StaleSlot => "stale-slot",
            Self::NoNextHop => "no-next-hop",
            Self::NoRoute => "no-route",
            Self::TooBig => "too-big",
            Self::ForwardingOff => "forwarding-off",
            Self::Rewrite => "rewrite",
            Self::NoService => "no-service",
            Self::NoSource => "no-source",
            Self::PortsExhausted => "ports-exhausted",
            Self::NoSession => "no-session",
            Self::Untranslatable => "untranslatable",
        }
    }
}

const _: () = {
    assert!(Reason::ALL.len() <= Reason::ROOM as usize);
    let mut number = 0;
    while number < Reason::ALL.len() {
        assert!(Reason::ALL[number] as usize == number);
        number += 1;
    }
};
