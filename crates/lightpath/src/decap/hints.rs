//! What on this host may keep packets that come out of a tunnel from being served. Nothing is changed.

use std::net::IpAddr;

use lightpath_control::host::sysctl;
use nix::ifaddrs::getifaddrs;
use tracing::warn;

/// Looks at the settings of the host that matter, and says what to change.
pub(super) fn look_at_host(interface: &str) {
    if ipv4_setting(interface, "rp_filter") == Some(1) {
        warn!(
            "rp_filter is strict on {interface}: clients whose answers leave by another interface are ignored; to accept them: \
             sysctl -w net.ipv4.conf.{}.rp_filter=2",
            interface.replace('.', "/")
        );
    }
    if loopback_has_ipv4() && ipv4_setting(interface, "arp_ignore") == Some(0) {
        warn!(
            "this host answers ARP on {interface} for the addresses of lo: if its VIPs are in that network, set: sysctl -w \
             net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2"
        );
    }
}

/// A setting of IPv4 of which the kernel takes the greater of the interface's and that for all.
fn ipv4_setting(interface: &str, name: &str) -> Option<u8> {
    let values = [interface, "all"].map(|of| sysctl::read(&format!("net/ipv4/conf/{of}/{name}")).ok());
    values.into_iter().flatten().filter_map(|value| value.parse().ok()).max()
}

/// Whether the loopback interface has an IPv4 address beside its own.
fn loopback_has_ipv4() -> bool {
    let Ok(addresses) = getifaddrs() else {
        return false;
    };
    addresses
        .filter(|address| address.interface_name == "lo")
        .filter_map(|address| address.address?.as_sockaddr_in().map(|address| IpAddr::V4(address.ip())))
        .any(|address| !address.is_loopback())
}
