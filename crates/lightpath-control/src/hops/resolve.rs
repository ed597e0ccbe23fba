//! From a route, the links and the neighbours to a next hop: the decision alone, without asking anybody.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::kernel::Route;
use super::neighbours::{Key, Neighbours};
use super::{Hop, NextHop, Reason, VlanProblem};
use crate::netlink::Link;

/// The neighbour that packets to `target` are handed to.
pub(super) fn neighbour_of(target: IpAddr, route: Route) -> Key {
    (route.interface, route.gateway.unwrap_or(target))
}

/// The neighbour that must be resolved before packets can be sent to `target`, and is worth asking for now.
pub(super) fn to_resolve(target: IpAddr, route: Route, links: &BTreeMap<u32, Link>) -> Option<Key> {
    let link = links.get(&route.interface)?;
    egress(link, links).ok()?;
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
    let (egress, vlan) = match egress(link, links) {
        Ok(found) => found,
        Err(reason) => return Hop::Unresolved(reason),
    };
    let Some(source_mac) = link.mac else {
        return Hop::Unresolved(Reason::NoMac { interface });
    };
    if let Some(down) = [link, egress].into_iter().find(|link| !link.running) {
        return Hop::Unresolved(Reason::LinkDown { interface: down.name.clone() });
    }
    let key = neighbour_of(target, route);
    match neighbours.find(key).and_then(|neighbour| neighbour.mac) {
        Some(mac) => Hop::Resolved(NextHop {
            interface: egress.index,
            interface_name: egress.name.clone(),
            vlan,
            source_mac,
            mac,
            mtu: route.mtu.into_iter().chain([egress.mtu]).fold(link.mtu, u32::min),
            source: route.source,
        }),
        None => Hop::Unresolved(Reason::NoAnswer { address: key.1, interface }),
    }
}

/// The interface by which frames really leave, where XDP can send them, and the VLAN they leave on.
pub(super) fn egress<'a>(
    link: &'a Link,
    links: &'a BTreeMap<u32, Link>,
) -> Result<(&'a Link, Option<u16>), Reason> {
    let Some(vlan) = link.vlan else {
        return Ok((link, None));
    };
    let refused = |problem| Reason::Vlan { interface: link.name.clone(), problem };
    if !vlan.is_8021q {
        return Err(refused(VlanProblem::ServiceTag));
    }
    let parent = vlan.parent.and_then(|parent| links.get(&parent));
    let parent = parent.ok_or_else(|| refused(VlanProblem::ParentElsewhere))?;
    if parent.vlan.is_some() {
        return Err(refused(VlanProblem::Nested));
    }
    // A frame that is only tagged with a priority is on no VLAN (IEEE 802.1Q, 9.6).
    Ok((parent, Some(vlan.id).filter(|id| *id != 0)))
}
