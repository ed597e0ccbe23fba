//! What the kernel tells unasked: changes of routes, rules, links, addresses and neighbours.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};
use nix::errno::Errno;
use rtnetlink::MulticastGroup;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::neighbour::NeighbourMessage;
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};

const GROUPS: [MulticastGroup; 9] = [
    MulticastGroup::Link,
    MulticastGroup::Neigh,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Rule,
    MulticastGroup::Nexthop,
];

/// Room for a burst of notifications while the watcher is busy; the kernel's limit (`net.core.rmem_max`) may cut it.
pub(super) const RECEIVE_BUFFER: i32 = 1 << 20;

/// Larger than any notification: the kernel does not send more than this in one datagram.
const DATAGRAM: usize = 1 << 16;

/// Something that may change a next hop.
#[derive(Debug)]
pub(super) enum Event {
    /// A neighbour is new or has changed.
    NeighbourChanged(NeighbourMessage),
    /// A neighbour is gone.
    NeighbourRemoved(NeighbourMessage),
    /// A route to this prefix (address, bits) has come, changed or gone.
    Route(IpAddr, u8),
    /// Links, addresses, rules or nexthop objects have changed: any route may lead elsewhere.
    Topology,
    /// Notifications were lost, or not understood: nothing known is certain.
    Lost,
}

/// The subscription.
pub(super) struct Events {
    socket: TokioSocket,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Events {
    /// Subscribes, in the network namespace of the calling thread, with a receive buffer of so many bytes.
    pub(super) fn subscribe(receive_buffer: i32) -> io::Result<Self> {
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        socket.socket_mut().bind(&SocketAddr::new(0, 0))?;
        socket.socket_mut().set_rx_buf_sz(receive_buffer)?;
        for group in GROUPS {
            match socket.socket_mut().add_membership(group as u32) {
                // Nexthop objects came with Linux 5.3; a kernel without them has nothing to tell of them.
                Err(error) if group == MulticastGroup::Nexthop => {
                    tracing::debug!(%error, "no notifications of nexthop objects");
                }
                result => result?,
            }
        }
        Ok(Self { socket, buffer: Vec::with_capacity(DATAGRAM) })
    }

    /// Waits for notifications and gives those of one datagram. Safe to cancel: nothing is lost.
    pub(super) async fn next(&mut self) -> io::Result<Vec<Event>> {
        self.buffer.clear();
        match self.socket.recv_from(&mut self.buffer).await {
            Ok(_) => Ok(parse(&self.buffer)),
            Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => Ok(vec![Event::Lost]),
            Err(error) => Err(error),
        }
    }
}

fn parse(mut datagram: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while !datagram.is_empty() {
        let length = NetlinkBuffer::new_checked(datagram).map(|header| header.length() as usize);
        let Some((message, rest)) = length.ok().and_then(|length| datagram.split_at_checked(length)) else {
            events.push(Event::Lost);
            break;
        };
        events.push(
            NetlinkMessage::deserialize(message).map_or(Event::Topology, |message| classify(message.payload)),
        );
        // Messages are aligned to 4 bytes; the last one need not be padded (NLMSG_ALIGN).
        datagram = rest.get(message.len().next_multiple_of(4) - message.len()..).unwrap_or_default();
    }
    events
}

fn classify(payload: NetlinkPayload<RouteNetlinkMessage>) -> Event {
    use RouteNetlinkMessage as M;
    match payload {
        NetlinkPayload::InnerMessage(M::NewNeighbour(message)) => Event::NeighbourChanged(message),
        NetlinkPayload::InnerMessage(M::DelNeighbour(message)) => Event::NeighbourRemoved(message),
        NetlinkPayload::InnerMessage(M::NewRoute(message) | M::DelRoute(message)) => prefix(&message),
        NetlinkPayload::Overrun(_) => Event::Lost,
        _ => Event::Topology,
    }
}

fn prefix(route: &RouteMessage) -> Event {
    let destination = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(IpAddr::V4(*address)),
        RouteAttribute::Destination(RouteAddress::Inet6(address)) => Some(IpAddr::V6(*address)),
        _ => None,
    });
    // A default route has no destination.
    destination
        .map_or(Event::Topology, |address| Event::Route(address, route.header.destination_prefix_length))
}
