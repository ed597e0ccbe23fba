//! Tunnels: what arrives at a backend, of either family in either.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, UdpSocket};

use lightpath_lab::IpNet;
use lightpath_lab::topology::plan;

use crate::common::{Bed, Family, Ip, Service, Tap, Udp, eventually, file, ip, number};

const FLOWS: usize = 40;
const PORT: u16 = 5000;

/// Protocol numbers (IANA) of what is within an IP packet.
const IPV4: u8 = 4;
const UDP: u8 = 17;
const IPV6: u8 = 41;
/// Port of GUE (IANA).
const GUE: u16 = 6080;
/// The hops that a client's packet has behind it in a one-armed network: the router, and the balancer.
const HOPS: u8 = 2;
/// TTL that Linux gives a packet.
const TTL: u8 = 64;

#[test]
fn ipip_carries_either_family_over_either_from_the_configured_prefixes() {
    let seen = carries_over_either("ipip");
    for (vip, backend) in EITHER {
        let protocol = if vip == Family::V4 { IPV4 } else { IPV6 };
        for Arrival { outer, inner } in &seen[&(vip as u8, backend as u8)] {
            assert_eq!(outer.protocol, protocol, "{outer:?}");
            assert_eq!(Ip::parse(&outer.payload).as_ref(), Some(inner));
        }
    }
}

#[test]
fn gue_carries_either_family_over_either_and_flows_differ_in_their_port() {
    let seen = carries_over_either("gue");
    for (vip, backend) in EITHER {
        let arrivals = &seen[&(vip as u8, backend as u8)];
        let mut ports = BTreeSet::new();
        for Arrival { outer, .. } in arrivals {
            let udp = Udp::parse(&outer.payload).unwrap();
            assert_eq!((outer.protocol, udp.destination_port), (UDP, GUE), "{outer:?}");
            assert!(udp.source_port >= 0xc000, "of the ports that are nobody's: {udp:?}");
            ports.insert(udp.source_port);
        }
        assert!(ports.len() > FLOWS / 2, "{ports:?}");
    }
}

const EITHER: [(Family, Family); 4] =
    [(Family::V4, Family::V4), (Family::V4, Family::V6), (Family::V6, Family::V4), (Family::V6, Family::V6)];

/// A client's packet as a backend gets it.
struct Arrival {
    outer: Ip,
    inner: Ip,
}

/// Sends flows to VIPs of both families with backends of both, and checks what every tunnel has to do. What has arrived, by
/// the families of VIP and backend.
fn carries_over_either(forward: &'static str) -> BTreeMap<(u8, u8), Vec<Arrival>> {
    let mut bed = Bed::one_armed(1);
    let service = |(vip, backend): (Family, Family)| Service {
        protocol: "udp",
        port: "5000",
        forward,
        ..Service::web(&name(vip, backend), address(vip, backend), &bed.addresses(backend))
    };
    let services = EITHER.map(service);
    let sources = "tunnel_sources = [\"10.64.0.0/16\", \"10.80.0.0/28\", \"fd00:64::/64\"]";
    bed.balancer.start_with(&file(bed.interfaces, sources, &services));

    let mut seen = BTreeMap::new();
    for (vip, backend) in EITHER {
        takes_flows(&bed, &name(vip, backend));
        let arrivals = send(&bed, address(vip, backend), backend);
        let (client, server) = (vip.of(bed.client.address), backend.of(bed.backends[0].address));
        let mut outer_sources = BTreeSet::new();
        for Arrival { outer, inner } in &arrivals {
            assert_eq!((outer.destination, outer.dont_fragment), (server, true), "{outer:?}");
            assert!(is_source(outer.source), "{outer:?}");
            outer_sources.insert(outer.source);
            assert_eq!((inner.source, inner.destination), (client, address(vip, backend)), "{inner:?}");
            assert_eq!((inner.protocol, inner.ttl), (UDP, TTL - HOPS), "{inner:?}");
        }
        assert!(outer_sources.len() > FLOWS / 2, "flows come from different addresses: {outer_sources:?}");
        let status = bed.balancer.status();
        let counted = status.service(&name(vip, backend));
        assert_eq!((number(&counted["packets"]), &counted["forward"]), (2 * FLOWS as u64, &forward.into()));
        seen.insert((vip as u8, backend as u8), arrivals);
    }
    assert_eq!(bed.balancer.status().0["drops"], serde_json::json!({}));
    seen
}

fn name(vip: Family, backend: Family) -> String {
    format!("{vip:?}in{backend:?}")
}

/// The VIP of a service: a family has one for each family of backends.
fn address(vip: Family, backend: Family) -> IpAddr {
    vip.vip(if backend == Family::V4 { 10 } else { 11 })
}

fn is_source(address: IpAddr) -> bool {
    ["10.64.0.0/16", "10.80.0.0/28", "fd00:64::/64"]
        .iter()
        .any(|prefix| prefix.parse::<IpNet>().unwrap().contains(&address))
}

/// Waits for the next hop to a service's backend, which the daemon does only for a while: datagrams that come before are lost.
fn takes_flows(bed: &Bed, service: &str) {
    eventually("the backend takes flows", || bed.balancer.status().backend(service, 0)["state"] == "up");
}

/// Sends two datagrams on each of many flows; what the first backend gets of them. Both of a flow come from one address.
fn send(bed: &Bed, vip: IpAddr, backend: Family) -> Vec<Arrival> {
    let tap = Tap::open(&bed.backends[0].ns, "eth0");
    let client = if vip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let flows: Vec<UdpSocket> =
        bed.client.ns.run(|| (0..FLOWS).map(|_| UdpSocket::bind(client).unwrap()).collect()).unwrap();
    for flow in flows.iter().chain(&flows) {
        let said = format!("from {}", flow.local_addr().unwrap().port());
        flow.send_to(said.as_bytes(), SocketAddr::new(vip, PORT)).unwrap();
    }
    let server = backend.of(bed.backends[0].address);
    let mut arrivals = Vec::new();
    eventually("every datagram arrives in the tunnel", || {
        let packets = tap.packets().into_iter().filter(|packet| packet.destination == server);
        arrivals.extend(packets.filter_map(|outer| Some(Arrival { inner: unwrapped(&outer)?, outer })));
        arrivals.len() >= 2 * FLOWS
    });
    let mut source_of = BTreeMap::new();
    for Arrival { outer, inner } in &arrivals {
        let udp = Udp::parse(&inner.payload).unwrap();
        assert_eq!(udp.destination_port, PORT);
        assert_eq!(udp.payload, format!("from {}", udp.source_port).into_bytes(), "as the client sent it");
        assert_eq!(*source_of.entry(udp.source_port).or_insert(outer.source), outer.source);
    }
    assert_eq!(source_of.len(), FLOWS);
    arrivals
}

/// What is in a tunnel's packet.
fn unwrapped(outer: &Ip) -> Option<Ip> {
    match outer.protocol {
        IPV4 | IPV6 => Ip::parse(&outer.payload),
        UDP => Udp::parse(&outer.payload)
            .filter(|udp| udp.destination_port == GUE)
            .and_then(|udp| Ip::parse(&udp.payload)),
        _ => None,
    }
}

#[test]
fn without_prefixes_a_tunnel_comes_from_the_address_that_the_route_names() {
    let mut bed = Bed::one_armed(1);
    let vip = Family::V4.vip(10);
    for family in Family::BOTH {
        let service = Service {
            protocol: "udp",
            port: "5000",
            forward: "gue",
            ..Service::web("tunnel", vip, &bed.addresses(family))
        };
        bed.balancer.start_with(&file(bed.interfaces, "", &[service]));
        takes_flows(&bed, "tunnel");
        let own = family.of(plan::SERVICE.host(plan::BALANCER));
        assert!(send(&bed, vip, family).iter().all(|arrival| arrival.outer.source == own));
        bed.balancer.stop();
        // The backend of the other family would keep the flows that it may have.
        bed.balancer.detach();
    }
}

#[test]
fn a_tunnel_from_a_host_without_an_address_of_its_family_is_refused_with_the_reason() {
    let mut bed = Bed::one_armed(1);
    let own = plan::SERVICE.host(plan::BALANCER).v6;
    ip(&bed.balancer.ns, &format!("-6 addr del {own}/64 dev eth0"));
    ip(&bed.balancer.ns, &format!("-6 route replace {} dev eth0", plan::SERVICE.v6));
    let backends = bed.addresses(Family::V6);
    let services = [Service { forward: "ipip", ..Service::web("web", Family::V4.vip(10), &backends) }];
    bed.balancer.start_with(&file(bed.interfaces, "", &services));
    let status = bed.balancer.status();
    let cause =
        "this host has no address of its family to send from: add one, or name one in the configuration";
    assert_eq!(status.backend("web", 0)["cause"], cause, "{status:?}");

    ip(&bed.balancer.ns, &format!("-6 addr add {own}/64 dev eth0 nodad"));
    takes_flows(&bed, "web");
    bed.balancer.stop();

    ip(&bed.balancer.ns, &format!("-6 addr del {own}/64 dev eth0"));
    ip(&bed.balancer.ns, &format!("-6 route replace {} dev eth0", plan::SERVICE.v6));
    bed.balancer.start_with(&file(bed.interfaces, "tunnel_sources = [\"fd00:64::/64\"]", &services));
    assert_eq!(bed.balancer.status().backend("web", 0)["state"], "up", "a prefix needs no address");
}
