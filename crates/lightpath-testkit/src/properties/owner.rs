//! Whose packet it is, by looking at every line there is: the slow way, to judge the directory and its filters by.

use lightpath_abi::{Address, Entry, Role, Tag};
use lightpath_core::Frame;

/// A frame's address and port in a role.
pub(super) struct Sought {
    pub(super) role: Role,
    pub(super) address: Address,
    pub(super) protocol: u8,
    pub(super) port: u16,
}

impl Sought {
    /// A packet to a service.
    pub(super) fn service(frame: &Frame) -> Self {
        let Frame { destination, destination_port, protocol, .. } = *frame;
        Self { role: Role::Service, address: destination, protocol, port: destination_port }
    }

    /// A reply of a backend.
    pub(super) fn reply(frame: &Frame) -> Self {
        let Frame { source, source_port, protocol, .. } = *frame;
        Self { role: Role::Reply, address: source, protocol, port: source_port }
    }

    /// A packet to where a backend sends replies from.
    pub(super) fn straight_to_a_backend(frame: &Frame) -> Self {
        let Frame { destination, destination_port, protocol, .. } = *frame;
        Self { role: Role::Reply, address: destination, protocol, port: destination_port }
    }

    /// The entry that stands for the fewest ports, this one among them.
    pub(super) fn among(self, entries: &[Entry]) -> Option<&Entry> {
        let matches = |entry: &&Entry, bits| {
            entry.address == self.address && entry.tag == Tag::new(self.role, self.protocol, self.port, bits)
        };
        (0..=16).rev().find_map(|bits| entries.iter().find(|entry| matches(entry, bits)))
    }
}

/// The entry of an address that is a VIP.
pub(super) fn vip(address: Address, entries: &[Entry]) -> Option<&Entry> {
    entries.iter().find(|entry| entry.address == address && entry.tag == Tag::VIP)
}
