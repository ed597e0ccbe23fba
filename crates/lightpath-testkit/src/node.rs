//! The node that the cases run on: its interfaces, their neighbours, and what its routing comes to.
//!
//! ```text
//! clients  198.51.100.0/24, 2001:db8:1::/64   --- front   node   back ---   backends  10.0.0.0/24, fd00::/64
//!          198.18.1.0/24, 2001:db8:2::/64     --- side
//!          198.18.2.0/24, 2001:db8:3::/64     --- far
//! ```
//!
//! `side` stands for a VLAN interface on `front`, and `far` for one that only the kernel can send by: links of their own, because not
//! every kernel has VLANs, but the packet path is told so.
//!
//! A test of the kernel's data plane sets this up for real; on the host [`Node::route`] answers as that kernel does.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lightpath_abi::{Address, NextHop, VlanInterface};
use lightpath_core::{Reason, Route, RouteQuery, Routes};

/// MAC address of the client and router on the front.
pub const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 1, 0x10];
/// MAC address of the front interface.
pub const FRONT_MAC: [u8; 6] = [2, 0, 0, 0, 1, 0x01];
/// MAC address of the back interface.
pub const BACK_MAC: [u8; 6] = [2, 0, 0, 0, 2, 0x01];
/// MAC address of every backend.
pub const BACKEND_MAC: [u8; 6] = [2, 0, 0, 0, 2, 0x11];

/// Addresses of the front interface.
pub const FRONT: [&str; 2] = ["198.51.100.1/24", "2001:db8:1::1/64"];
/// MAC address of the interface that stands for a VLAN's.
pub const SIDE_MAC: [u8; 6] = [2, 0, 0, 0, 3, 0x01];
/// The VLAN that it stands for.
pub const SIDE_VLAN: u16 = 7;
/// Addresses of the interface that stands for a VLAN's.
pub const SIDE: [&str; 2] = ["198.18.1.1/24", "2001:db8:2::1/64"];
/// MAC address of the interface that only the kernel can send by.
pub const FAR_MAC: [u8; 6] = [2, 0, 0, 0, 4, 0x01];
/// Addresses of the interface that only the kernel can send by.
pub const FAR: [&str; 2] = ["198.18.2.1/24", "2001:db8:3::1/64"];
/// Addresses of the back interface.
pub const BACK: [&str; 2] = ["10.0.0.1/24", "fd00::1/64"];
/// The neighbours on the front whose MAC address is known.
pub const CLIENTS: [&str; 2] = ["198.51.100.10", "2001:db8:1::10"];
/// The same on `side`.
pub const SIDE_CLIENTS: [&str; 2] = ["198.18.1.10", "2001:db8:2::10"];
/// The same on `far`.
pub const FAR_CLIENTS: [&str; 2] = ["198.18.2.10", "2001:db8:3::10"];
/// Prefixes that are routed to nowhere.
pub const BLACKHOLES: [&str; 2] = ["192.0.2.0/24", "2001:db8:dead::/48"];
/// Prefixes that are routed by way of the client with a smaller MTU, and that MTU.
pub const NARROW: [(&str, u16); 2] = [("198.19.0.0/24", 600), ("2001:db8:beef::/48", 1280)];

/// MTU of both interfaces.
const MTU: u16 = 1500;

/// The node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Index of the interface to the clients.
    pub front: u32,
    /// Index of the interface to the backends.
    pub back: u32,
    /// Index of the interface that stands for a VLAN's.
    pub side: u32,
    /// Index of the interface that only the kernel can send by.
    pub far: u32,
    /// Whether it forwards packets at all.
    pub forwarding: bool,
}

impl Default for Node {
    fn default() -> Self {
        Self { front: 2, back: 3, side: 4, far: 5, forwarding: true }
    }
}

impl Node {
    /// To the client, or to what is behind it.
    #[must_use]
    pub fn client_hop(&self) -> NextHop {
        NextHop { mac: CLIENT_MAC, source_mac: FRONT_MAC, vlan: 0, mtu: 0, interface: self.front }
    }

    /// To a client on the VLAN, as the node's routing says.
    #[must_use]
    pub fn side_hop(&self) -> NextHop {
        NextHop { source_mac: SIDE_MAC, interface: self.side, ..self.client_hop() }
    }

    /// To a client that only the kernel can send to.
    #[must_use]
    pub fn far_hop(&self) -> NextHop {
        NextHop { source_mac: FAR_MAC, interface: self.far, ..self.client_hop() }
    }

    /// What is known of `side` and `far`.
    #[must_use]
    pub fn vlans(&self) -> BTreeMap<u32, VlanInterface> {
        let side = VlanInterface { parent: self.front, vlan: SIDE_VLAN, reserved: 0 };
        BTreeMap::from([(self.side, side), (self.far, VlanInterface::KERNELS)])
    }

    /// To a backend.
    #[must_use]
    pub fn backend_hop(&self) -> NextHop {
        NextHop { mac: BACKEND_MAC, source_mac: BACK_MAC, vlan: 0, mtu: MTU, interface: self.back }
    }

    /// Where the node forwards a packet of `length` bytes, in the order in which `bpf_fib_lookup` looks.
    #[must_use]
    pub fn route(&self, destination: Address, length: u16) -> Route {
        if !self.forwarding {
            return Route::Refused(Reason::ForwardingOff);
        }
        match destination.to_ip() {
            IpAddr::V4(address) => self.route4(address, length),
            IpAddr::V6(address) => self.route6(address, length),
        }
    }

    fn route4(&self, destination: Ipv4Addr, length: u16) -> Route {
        match destination.octets() {
            // Its own addresses, and the broadcast addresses of its networks.
            [198, 51, 100, 1 | 255] | [10, 0, 0, 1 | 255] | [198, 18, 1 | 2, 1 | 255] => Route::NotForwarded,
            [192, 0, 2, _] => Route::Refused(Reason::NoRoute),
            [198, 51, 100, _] | [10, 0, 0, _] | [198, 18, 1 | 2, _] if length > MTU => {
                Route::TooBig { mtu: MTU }
            }
            [198, 19, 0, _] if length > NARROW[0].1 => Route::TooBig { mtu: NARROW[0].1 },
            [198, 51, 100, 10] | [198, 19, 0, _] => Route::Via(self.client_hop()),
            [198, 18, 1, 10] => Route::Via(self.side_hop()),
            [198, 18, 2, 10] => Route::Via(self.far_hop()),
            [198, 51, 100, _] | [10, 0, 0, _] | [198, 18, 1 | 2, _] => Route::Unresolved,
            _ => Route::NotForwarded,
        }
    }

    fn route6(&self, destination: Ipv6Addr, length: u16) -> Route {
        match destination.segments() {
            // Its own addresses, and the anycast address that routers answer to (RFC 4291, 2.6.1).
            [0x2001, 0xdb8, 1..=3, 0, 0, 0, 0, 0 | 1] | [0xfd00, 0, 0, 0, 0, 0, 0, 0 | 1] => {
                Route::NotForwarded
            }
            [0x2001, 0xdb8, 0xdead, ..] => Route::Refused(Reason::NoRoute),
            [0x2001, 0xdb8, 1..=3, 0, ..] | [0xfd00, 0, 0, 0, ..] if length > MTU => {
                Route::TooBig { mtu: MTU }
            }
            [0x2001, 0xdb8, 0xbeef, ..] if length > NARROW[1].1 => Route::TooBig { mtu: NARROW[1].1 },
            [0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x10] | [0x2001, 0xdb8, 0xbeef, ..] => {
                Route::Via(self.client_hop())
            }
            [0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x10] => Route::Via(self.side_hop()),
            [0x2001, 0xdb8, 3, 0, 0, 0, 0, 0x10] => Route::Via(self.far_hop()),
            [0x2001, 0xdb8, 1..=3, 0, ..] | [0xfd00, 0, 0, 0, ..] => Route::Unresolved,
            _ => Route::NotForwarded,
        }
    }
}

impl Routes for Node {
    fn route(&self, query: &RouteQuery) -> Route {
        self.route(query.destination, query.length)
    }
}
