//! Tagged packets keep their tags, through VLAN devices of the kernel on both sides of the balancer.
//!
//! ```text
//! client or router eth0.5 ── eth0 balancer eth0 or eth1 ── switch ── eth0.5 backend1, backend2
//! ```
//!
//! The balancer itself has no VLAN device: it finds its backends without a tag, and everything else is tagged. Hosts on one
//! link have the same MAC address with and without tags, and cannot ask for it across that border, so it is set.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use lightpath_lab::topology::Host;
use lightpath_lab::{HttpConnection, Namespace, UdpFlow, serve_http, serve_udp_echo};

use super::add_link;
use crate::common::{Bed, Family, PATIENCE, Service, file, finish, ip, number};

/// Datagrams for each family: more than what hosts send each other by themselves.
const DATAGRAMS: u64 = 50;
/// Several windows of full packets.
const LARGE: usize = 300_000;

#[test]
#[ignore = "needs the kernel's VLAN devices: make test-kernels"]
fn nat_keeps_a_tag_both_ways() {
    nat_keeps(Tags::One);
}

#[test]
#[ignore = "needs the kernel's VLAN devices: make test-kernels"]
fn nat_keeps_two_tags_both_ways() {
    nat_keeps(Tags::Two);
}

#[test]
#[ignore = "needs the kernel's VLAN devices: make test-kernels"]
fn dsr_keeps_a_tag() {
    dsr_keeps(Tags::One);
}

#[test]
#[ignore = "needs the kernel's VLAN devices: make test-kernels"]
fn dsr_keeps_two_tags() {
    dsr_keeps(Tags::Two);
}

/// Client and backends speak to the balancer through tagged devices.
fn nat_keeps(tags: Tags) {
    let mut bed = Bed::two_armed(2);
    let device = tags.name();
    tags_in_frames(&bed.client.ns, "eth0");
    for host in bed.backends.iter().chain([&bed.client]) {
        tags.add_device(&host.ns);
    }
    let [front, back] = ["eth0", "eth1"].map(|link| bed.balancer.ns.mac(link).unwrap());
    for family in Family::BOTH {
        route(&bed.client.ns, device, family, "default", front);
        for backend in &bed.backends {
            route(&backend.ns, device, family, "default", back);
        }
        let client = bed.client.ns.mac("eth0").unwrap();
        neighbour(&bed.balancer.ns, "eth0", family.of(bed.client.address), client);
    }
    let client = bed.client.clone();
    keeps(&mut bed, "nat", tags, &client);
}

/// The router speaks to the balancer, and the backends to the router, through tagged devices.
fn dsr_keeps(tags: Tags) {
    let mut bed = Bed::one_armed(2);
    let device = tags.name();
    let router = bed.router.clone().unwrap();
    for host in bed.backends.iter().chain([&router]) {
        tags.add_device(&host.ns);
    }
    let balancer_mac = bed.balancer.ns.mac("eth0").unwrap();
    let router_mac = router.ns.mac("eth0").unwrap();
    for family in Family::BOTH {
        let vip = family.vip(10);
        bed.accept_vip(vip);
        route(&router.ns, device, family, &vip.to_string(), balancer_mac);
        for backend in &bed.backends {
            route(&backend.ns, device, family, "default table 100", router_mac);
        }
    }
    keeps(&mut bed, "dsr", tags, &router);
}

/// A page and many datagrams of both families come and go; the datagrams are seen behind the tags, on the backends and, as
/// replies, on `near`.
fn keeps(bed: &mut Bed, forward: &'static str, tags: Tags, near: &Host) {
    tags_in_frames(&bed.switch, "to-balancer");
    let mut services = Vec::new();
    let mut servers = Vec::new();
    for family in Family::BOTH {
        let vip = family.vip(10);
        let web = Service::web(&format!("web{family:?}"), vip, &bed.addresses(family));
        let web = Service { forward, ..web };
        let echo = Service { name: format!("echo{family:?}"), port: "7", protocol: "udp", ..web.clone() };
        services.extend([web, echo]);
        for backend in &bed.backends {
            let address = if forward == "dsr" { vip } else { family.of(backend.address) };
            let (ns, name) = (&backend.ns, backend.ns.name());
            servers.push((
                serve_http(ns, SocketAddr::new(address, 80), name).unwrap(),
                serve_udp_echo(ns, SocketAddr::new(address, 7), name).unwrap(),
            ));
        }
    }
    bed.balancer.start_with(&file(bed.interfaces, "", &services));

    for family in Family::BOTH {
        let (client, vip) = (family.of(bed.client.address), family.vip(10));
        let web = SocketAddr::new(vip, 80);
        let mut connection = HttpConnection::open(&bed.client.ns, Some(client), web, PATIENCE).unwrap();
        let page = connection.get(&format!("/bytes/{LARGE}"), PATIENCE).unwrap();
        assert_eq!(page.body.len(), LARGE);
        assert_eq!(page.peer.map(|peer| peer.ip()), Some(client));

        let tagged = || -> [u64; 2] {
            let there = bed.backends.iter().map(|backend| received(&backend.ns, tags.name())).sum();
            [there, received(&near.ns, tags.name())]
        };
        let before = tagged();
        for _ in 0..DATAGRAMS {
            let mut flow = UdpFlow::open(&bed.client.ns, Some(client), SocketAddr::new(vip, 7)).unwrap();
            flow.ask(PATIENCE).unwrap();
        }
        let after = tagged();
        assert!(
            after.iter().zip(before).all(|(after, before)| after - before >= DATAGRAMS),
            "{before:?} packets with tags, then {after:?}"
        );
        let status = bed.balancer.status();
        assert_eq!(number(&status.service(&format!("echo{family:?}"))["packets"]), DATAGRAMS);
    }
    assert_eq!(bed.balancer.status().0["drops"], serde_json::json!({}));
}

/// What stands before the IP header of every packet.
#[derive(Clone, Copy, Debug)]
enum Tags {
    /// VLAN 5.
    One,
    /// VLAN 5 in the provider's VLAN 7 (802.1ad).
    Two,
}

impl Tags {
    /// The device whose packets have these tags on `eth0`.
    fn name(self) -> &'static str {
        match self {
            Self::One => "eth0.5",
            Self::Two => "eth0.7.5",
        }
    }

    fn add_device(self, host: &Namespace) {
        match self {
            Self::One => add_link(host, self.name(), "vlan", "link eth0 type vlan id 5"),
            Self::Two => {
                add_link(host, "eth0.7", "vlan", "link eth0 type vlan proto 802.1ad id 7");
                // Links leave room for one tag beside the MTU.
                add_link(host, self.name(), "vlan", "link eth0.7 mtu 1496 type vlan id 5");
            }
        }
    }
}

/// Has a link write tags into frames. Otherwise a veth passes them on beside the frame, as a network card does that strips
/// them, and XDP does not see them.
fn tags_in_frames(namespace: &Namespace, link: &str) {
    let mut ethtool = namespace.command("ethtool");
    ethtool.args(["--features", link, "tx-vlan-hw-insert", "off", "tx-vlan-stag-hw-insert", "off"]);
    let output = finish(&mut ethtool, PATIENCE);
    assert!(output.status.success(), "{ethtool:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Routes packets to `to` through a device, to the host with this MAC address.
fn route(host: &Namespace, device: &str, family: Family, to: &str, mac: [u8; 6]) {
    // A name for the MAC address, and nothing else.
    let (option, gateway) = match family {
        Family::V4 => ("-4", "169.254.0.1"),
        Family::V6 => ("-6", "fe80::1"),
    };
    neighbour(host, device, gateway.parse().unwrap(), mac);
    ip(host, &format!("{option} route replace {to} via {gateway} dev {device} onlink"));
}

fn neighbour(host: &Namespace, device: &str, address: IpAddr, mac: [u8; 6]) {
    let mac = mac.map(|octet| format!("{octet:02x}")).join(":");
    ip(host, &format!("neigh replace {address} lladdr {mac} dev {device} nud permanent"));
}

/// Packets that a link has received.
fn received(host: &Namespace, link: &str) -> u64 {
    let links = host.run(|| fs::read_to_string("/proc/thread-self/net/dev")).unwrap().unwrap();
    let counters =
        links.lines().find_map(|line| line.trim_start().strip_prefix(link)?.strip_prefix(':')).unwrap();
    // Bytes, then packets.
    counters.split_whitespace().nth(1).unwrap().parse().unwrap()
}
