//! The addresses that this host takes packets for: what its routes say is local.
//!
//! Those are the addresses of its interfaces, and whatever else an operator has declared local, as in `ip route add local
//! 203.0.113.0/24 dev lo`.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteScope, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use super::Error;

/// The routing table of local addresses (uapi/linux/rtnetlink.h).
const RT_TABLE_LOCAL: u8 = 255;

/// Prefixes that packets are delivered for on this host, loopback's own apart, in the network namespace of the calling thread.
pub fn local_prefixes() -> Result<BTreeSet<IpNet>, Error> {
    let mut prefixes = BTreeSet::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let routes = dump(family).map_err(|source| Error::Read { what: "local addresses", source })?;
        prefixes.extend(routes.iter().filter_map(prefix).filter(|prefix| !prefix.addr().is_loopback()));
    }
    Ok(prefixes)
}

fn prefix(route: &RouteMessage) -> Option<IpNet> {
    let destination = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(IpAddr::V4(*address)),
        RouteAttribute::Destination(RouteAddress::Inet6(address)) => Some(IpAddr::V6(*address)),
        _ => None,
    })?;
    IpNet::new(destination, route.header.destination_prefix_length).ok()
}

/// The local routes of a family. The kernel is asked for these alone: a router may have a million others.
fn dump(family: AddressFamily) -> io::Result<Vec<RouteMessage>> {
    let mut route = RouteMessage::default();
    route.header.address_family = family;
    route.header.table = RT_TABLE_LOCAL;
    route.header.kind = RouteType::Local;
    route.header.scope = RouteScope::Universe;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut request = NetlinkMessage::new(header, NetlinkPayload::from(RouteNetlinkMessage::GetRoute(route)));
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);

    let socket = Socket::new(NETLINK_ROUTE)?;
    socket.connect(&SocketAddr::new(0, 0))?;
    // Without it the kernel does not look at what is asked for but the family (Linux 4.20, 18a8021a7be3).
    socket.set_netlink_get_strict_chk(true)?;
    socket.send(&bytes, 0)?;
    let mut routes = Vec::new();
    loop {
        let (answer, _) = socket.recv_from_full()?;
        if take(&answer, &mut routes)? {
            return Ok(routes);
        }
    }
}

/// Takes the routes out of one answer; whether it was the last one.
fn take(answer: &[u8], routes: &mut Vec<RouteMessage>) -> io::Result<bool> {
    let mut rest = answer;
    while !rest.is_empty() {
        // Messages begin at multiples of four bytes (`NLMSG_ALIGN`).
        let length = NetlinkBuffer::new_checked(rest).map_err(io::Error::other)?.length() as usize;
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(io::Error::other)?;
        match message.payload {
            NetlinkPayload::Done(_) => return Ok(true),
            NetlinkPayload::Error(error) => return Err(error.to_io()),
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route))
                if route.header.kind == RouteType::Local =>
            {
                routes.push(route);
            }
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}
