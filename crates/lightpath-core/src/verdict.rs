use lightpath_abi::{Address, BackendNumber, NextHop, ServiceIndex};

use crate::Reason;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Not ours: the kernel gets it untouched.
    Pass,
    /// It ends here.
    Drop(Drop),
    /// It goes on to a backend or back to a client.
    Forward(Forwarding),
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
pub struct Forwarding {
    /// Which way.
    pub direction: Direction,
    /// The backend it goes to or came from.
    pub backend: BackendNumber,
    /// The service it belongs to.
    pub service: ServiceIndex,
    /// What changes in its headers.
    pub rewrite: Rewrite,
    /// How it leaves.
    pub egress: Egress,
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
pub enum Rewrite {
    /// Nothing but the TTL.
    None,
    /// The destination: `nat` on the way to the backend.
    Destination {
        /// New address, of the packet's family.
        address: Address,
        /// New port.
        port: u16,
    },
    /// The source: `nat` undone on the way to the client.
    Source {
        /// New address, of the packet's family.
        address: Address,
        /// New port.
        port: u16,
    },
}

/// How a forwarded packet leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress {
    /// To this neighbour.
    Link(NextHop),
    /// Through the kernel's own forwarding, which resolves a neighbour it does not know yet. The kernel counts down the
    /// TTL, so it is left as it is.
    Kernel,
}
