//! From a route, the links and the neighbours to a next hop: the decision alone, without asking anybody.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::kernel::Route;
use super::neighbours::{Key, Neighbours};
use super::{Hop, NextHop, Reason};
use crate::netlink::Link;

/// The neighbour that packets to `target` are handed to.
pub(super) fn neighbour_of(target: IpAddr, route: Route) -> Key {
    (route.interface, route.gateway.unwrap_or(target))
}

/// The neighbour that must be resolved before packets can be sent to `target`, and is worth asking for now.
pub(super) fn to_resolve(target: IpAddr, route: Route, links: &BTreeMap<u32, Link>) -> Option<Key> {
    let link = links.get(&route.interface)?;
    (link.running && link.mac.is_some()).then(|| neighbour_of(target, route))
}

/// The next hop to `target` by `route`.
pub(super) fn resolve(
    target: IpAddr,
    route: Route,
    links: &BTreeMap<u32, Link>,
    neighbours: &Neighbours,
) -> Hop {
    // The route is older than the links when an interface has just gone: its removal is about to be notified.
    let Some(link) = links.get(&route.interface) else {
        return Hop::Unresolved(Reason::NoRoute);
    };
    let interface = link.name.clone();
    let Some(source_mac) = link.mac else {
        return Hop::Unresolved(Reason::NoMac { interface });
    };
    if !link.running {
        return Hop::Unresolved(Reason::LinkDown { interface });
    }
    let key = neighbour_of(target, route);
    match neighbours.find(key).and_then(|neighbour| neighbour.mac) {
        Some(mac) => Hop::Resolved(NextHop {
            interface: link.index,
            interface_name: interface,
            source_mac,
            mac,
            mtu: link.mtu,
        }),
        None => Hop::Unresolved(Reason::NoAnswer { address: key.1, interface }),
    }
}
