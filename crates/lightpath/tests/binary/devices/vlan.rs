//! Tags come and go at the balancer: a packet leaves as the way to its backend says.
//!
//! Where a side has VLAN devices of the kernel, the other has none, so that a packet with the wrong tags reaches nobody or
//! is not counted.

use std::net::{IpAddr, SocketAddr};

use lightpath_lab::topology::plan;
use lightpath_lab::{HttpConnection, Namespace, UdpFlow, serve_http, serve_udp_echo};

use super::{RECEIVED, SENT, add_link, packets};
use crate::common::{Bed, Family, PATIENCE, Service, file, finish, ip, number};

/// Datagrams of each family: more than what hosts send each other by themselves.
const DATAGRAMS: u64 = 50;
/// Several windows of full packets.
const LARGE: usize = 300_000;

#[test]
#[ignore = "needs the kernel's VLAN devices: make test-kernels"]
fn nat_takes_a_tag_off() {
    nat_takes_off(Tags::One);
}

#[test]
#[ignore = "needs the kernel's VLAN devices: make test-kernels"]
fn nat_takes_two_tags_off() {
    nat_takes_off(Tags::Two);
}

/// The client sends to the balancer through a tagged device, and is answered without.
fn nat_takes_off(tags: Tags) {
    let mut bed = Bed::two_armed(2);
    let client = bed.client.clone();
    tags.add_device(&client.ns);
    tags_in_frames(&client.ns, "eth0");
    let [client_mac, balancer_mac] = [&client.ns, &bed.balancer.ns].map(|host| host.mac("eth0").unwrap());
    for family in Family::BOTH {
        route(&client.ns, tags.name(), family, "default", balancer_mac);
        neighbour(&bed.balancer.ns, "eth0", family.of(client.address), client_mac);
    }
    carries(&mut bed, "nat", || packets(&client.ns, tags.name(), SENT));
}

#[test]
#[ignore = "needs the kernel's VLAN devices: make test-kernels"]
fn dsr_takes_a_tag_off() {
    let mut bed = Bed::one_armed(2);
    let router = bed.router.clone().unwrap();
    Tags::One.add_device(&router.ns);
    tags_in_frames(&bed.switch, "to-balancer");
    let balancer_mac = bed.balancer.ns.mac("eth0").unwrap();
    for family in Family::BOTH {
        let vip = family.vip(10);
        bed.accept_vip(vip);
        route(&router.ns, Tags::One.name(), family, &vip.to_string(), balancer_mac);
    }
    carries(&mut bed, "dsr", || packets(&router.ns, Tags::One.name(), SENT));
}

/// Balancer and backends have the addresses of their segment on VLAN interfaces.
#[test]
#[ignore = "needs the kernel's VLAN devices: make test-kernels"]
fn nat_puts_a_tag_on() {
    let mut bed = Bed::two_armed(2);
    tags_in_frames(&bed.switch, "to-balancer");
    move_to_vlan(&bed.balancer.ns, "eth1", plan::ROUTER);
    for (backend, number) in bed.backends.iter().zip(plan::FIRST_BACKEND..) {
        move_to_vlan(&backend.ns, "eth0", number);
        let gateway = plan::SERVICE.host(plan::ROUTER);
        ip(&backend.ns, &format!("-4 route replace default via {} dev eth0.5", gateway.v4));
        ip(&backend.ns, &format!("-6 route replace default via {} dev eth0.5", gateway.v6));
    }
    let backends = bed.backends.clone();
    carries(&mut bed, "nat", || {
        backends.iter().map(|backend| packets(&backend.ns, "eth0.5", RECEIVED)).sum()
    });
}

/// Gives the addresses of a link to VLAN 5 on it.
fn move_to_vlan(host: &Namespace, link: &str, number: u8) {
    let vlan = format!("{link}.5");
    add_link(host, &vlan, "vlan", &format!("link {link} type vlan id 5"));
    ip(host, &format!("addr flush dev {link}"));
    host.add_addresses(&vlan, &plan::SERVICE.interface(number)).unwrap();
}

/// A page and many datagrams of both families come and go; the datagrams are among what `tagged` counts.
fn carries(bed: &mut Bed, forward: &'static str, tagged: impl Fn() -> u64) {
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

        let before = tagged();
        for _ in 0..DATAGRAMS {
            let mut flow = UdpFlow::open(&bed.client.ns, Some(client), SocketAddr::new(vip, 7)).unwrap();
            flow.ask(PATIENCE).unwrap();
        }
        let tagged = tagged() - before;
        assert!(tagged >= DATAGRAMS, "{tagged} packets had the tags, of {DATAGRAMS} and more");
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
