//! The kernel's neighbour tables as last heard of.

use std::collections::HashMap;
use std::net::IpAddr;

use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourMessage, NeighbourState,
};

/// A neighbour is an address on an interface, given by its index.
pub(super) type Key = (u32, IpAddr);

/// One entry of a neighbour table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    /// The MAC address, while the entry may be used for sending.
    pub(super) mac: Option<[u8; 6]>,
    /// Whether the kernel keeps the entry resolved by itself.
    pub(super) managed: bool,
    /// Whether the operator has fixed the entry, or the link needs no resolution.
    pub(super) fixed: bool,
}

/// What is known of all neighbours.
#[derive(Debug, Default)]
pub(super) struct Neighbours(HashMap<Key, Neighbour>);

impl Neighbours {
    /// From a dump.
    pub(super) fn new(messages: &[NeighbourMessage]) -> Self {
        Self(messages.iter().filter_map(parse).collect())
    }

    /// What is known of one neighbour.
    pub(super) fn find(&self, key: Key) -> Option<Neighbour> {
        self.0.get(&key).copied()
    }

    /// Those that the kernel keeps resolved by itself, with their MAC addresses.
    pub(super) fn managed(&self) -> impl Iterator<Item = (Key, [u8; 6])> {
        let managed = self.0.iter().filter(|(_, neighbour)| neighbour.managed);
        managed.filter_map(|(key, neighbour)| Some((*key, neighbour.mac?)))
    }

    /// Takes in a notification of a new or changed entry; the neighbour, if anything in it matters.
    pub(super) fn update(&mut self, message: &NeighbourMessage) -> Option<Key> {
        let (key, neighbour) = parse(message)?;
        (self.0.insert(key, neighbour) != Some(neighbour)).then_some(key)
    }

    /// Takes in a notification of a deleted entry; the neighbour, if it was known.
    pub(super) fn remove(&mut self, message: &NeighbourMessage) -> Option<Key> {
        let (key, _) = parse(message)?;
        self.0.remove(&key).map(|_| key)
    }
}

fn parse(message: &NeighbourMessage) -> Option<(Key, Neighbour)> {
    let mut address = None;
    let mut mac = None;
    let mut managed = false;
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(value)) => {
                address = Some(IpAddr::V4(*value));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(value)) => {
                address = Some(IpAddr::V6(*value));
            }
            NeighbourAttribute::LinkLayerAddress(value) => mac = <[u8; 6]>::try_from(value.as_slice()).ok(),
            NeighbourAttribute::ExtFlags(flags) => managed = flags.contains(NeighbourExtFlags::Managed),
            _ => {}
        }
    }
    let state = message.header.state;
    let fixed = matches!(state, NeighbourState::Permanent | NeighbourState::Noarp);
    // An entry being verified keeps its MAC address in use, as the kernel does (RFC 4861, section 7.3.3).
    let usable = fixed
        || matches!(
            state,
            NeighbourState::Reachable | NeighbourState::Stale | NeighbourState::Delay | NeighbourState::Probe
        );
    let neighbour = Neighbour { mac: mac.filter(|_| usable), managed, fixed };
    Some(((message.header.ifindex, address?), neighbour))
}
