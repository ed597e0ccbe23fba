//! Packets at the other end of tunnels: a table of them, and generated ones.

mod cases;
mod opened;
mod refused;
mod tunnel;

use ipnet::IpNet;
use lightpath_abi::Prefix;
use lightpath_core::host::{Buffer, HostTunnelEnd};
use lightpath_core::{Fate, decapsulate};

use crate::Action;

pub use cases::{DecapCase, DecapExpected, decap_cases};
pub use tunnel::Tunnels;

/// Where tunnels may come from.
pub const TUNNEL_SOURCES: [&str; 4] = ["10.0.0.1/32", "10.7.0.0/16", "fd00::1/128", "fd00:7::/48"];
/// The host's own addresses: of its interface, and VIPs; one of each family is a whole network.
pub const LOCAL: [&str; 6] = [
    "10.0.0.40/32",
    "fd00::40/128",
    "203.0.113.30/32",
    "2001:db8:a::30/128",
    "192.0.2.0/24",
    "2001:db8:b::/64",
];

/// A list of prefixes.
#[must_use]
pub fn prefixes(list: &[&str]) -> Vec<IpNet> {
    list.iter().map(|text| text.parse().unwrap_or_else(|_| panic!("{text:?} is no prefix"))).collect()
}

/// The host that the table's tunnels end at, over ordinary memory.
#[must_use]
pub fn tunnel_end(strict: bool) -> HostTunnelEnd {
    let as_keys = |list: &[&str]| {
        prefixes(list).iter().map(|prefix| Prefix::new(prefix.addr(), prefix.prefix_len())).collect()
    };
    HostTunnelEnd {
        sources: as_keys(&TUNNEL_SOURCES),
        local: as_keys(&LOCAL),
        strict,
        ..HostTunnelEnd::default()
    }
}

/// Takes a packet to the host: what the driver is told, and the packet as it is then.
pub fn decapsulate_on_host(packet: &[u8], end: &HostTunnelEnd) -> (Action, Vec<u8>) {
    let mut packet = Buffer::new(packet);
    let action = match decapsulate(&mut packet, end) {
        Fate::Pass | Fate::Unwrapped => Action::Pass,
        Fate::Drop => Action::Drop,
    };
    (action, packet.bytes().to_vec())
}
