//! The configuration that the cases run over.

use lightpath_abi::NextHop;

use crate::node::Node;
use crate::{Contents, Ports, Service, Setup, service};

/// VIPs that are no addresses of the node.
pub(super) const ROUTED4: &str = "203.0.113.31";
pub(super) const ROUTED6: &str = "2001:db8:a::31";

/// Services of every kind on the node's networks.
#[must_use]
pub fn contents(node: &Node) -> Contents {
    with_services(node, &super::fullnat::services(node))
}

/// The same without those of `fullnat`: what becomes of a packet does not depend on those before it.
#[must_use]
pub fn stateless_contents(node: &Node) -> Contents {
    with_services(node, &[])
}

fn with_services(node: &Node, more: &[Service]) -> Contents {
    let (back, front) = (node.backend_hop(), node.client_hop());
    let unresolved = NextHop::default();
    let wide = NextHop { mtu: 9200, ..back };
    let tagged = NextHop { vlan: 100, ..back };
    let narrow = NextHop { mtu: 1300, ..back };
    let vip = "203.0.113.10";
    let vip6 = "2001:db8:a::10";
    let setup = Setup::new()
        .vlans(node.vlans())
        .with(service("web", vip, 80).backend("10.0.0.11:8080", back))
        .with(service("one-armed", vip, 81).backend("198.51.100.21:81", front))
        .with(service("dns", vip, 53).udp().backend("10.0.0.13:5353", back))
        .with(service("direct", vip, 443).dsr().backend("10.0.0.14", back))
        .with(service("voice", vip, 10_000..=19_999).udp().dsr().backend("10.0.0.15", back))
        .with(service("media", vip, 30_001..=30_006).udp().backend("10.0.0.16", back))
        .with(service("web6", vip6, 80).backend("[fd00::11]:8080", back))
        .with(service("dns6", vip6, 53).udp().backend("[fd00::13]:5353", back))
        .with(service("direct6", vip6, 443).dsr().backend("fd00::14", back))
        // One VIP, three services: the fewer ports, the closer the match.
        .with(service("any", "203.0.113.20", Ports::Any).dsr().backend("10.0.0.17", front))
        .with(service("some", "203.0.113.20", 8000..=8999).backend("10.0.0.18", back))
        .with(service("one", "203.0.113.20", 8443).backend("10.0.0.19:443", back))
        .with(service("direct-vlan", vip, 82).dsr().backend("10.0.0.22", tagged))
        .with(service("web-vlan", vip, 83).backend("10.0.0.23:83", tagged))
        .with(service("dns6-vlan", vip6, 83).udp().backend("[fd00::23]:83", tagged))
        .with(service("sourceless", vip, 95).ipip().from_source(5).backend("10.0.0.24", back))
        .with(service("routed", ROUTED4, 80).routed().dsr().backend("10.0.0.25", back))
        .with(service("routed6", ROUTED6, 80).routed().backend("[fd00::25]:80", back))
        .with(service("refusing", ROUTED4, 90).routed().refusing().slots(&[0, 0, 0]))
        .with(service("refusing6", ROUTED6, 90).routed().refusing().slots(&[0, 0, 0]))
        .with(service("refusing-datagrams", ROUTED4, 90).routed().udp().refusing().slots(&[0, 0, 0]))
        .with(service("refusing-datagrams6", ROUTED6, 90).routed().udp().refusing().slots(&[0, 0, 0]))
        .with(service("narrow", ROUTED4, 91).routed().dsr().backend("10.0.0.29", narrow))
        .with(service("narrow6", ROUTED6, 91).routed().ipip().backend("fd00::29", narrow))
        .with(service("jumbo", vip, 84).backend("10.0.0.26:84", wide))
        .with(service("jumbo6", vip6, 84).udp().dsr().backend("fd00::27", wide))
        .with(service("jumbo-tunnel", vip, 85).ipip().backend("10.0.0.28", wide))
        .with(service("empty", vip, 90).slots(&[0, 0, 0]))
        .with(service("unresolved", vip, 91).backend("10.0.0.20:91", unresolved))
        .with(service("stale", vip, 92).backend("10.0.0.21:92", back))
        .with(spread("spread", vip, 93, node))
        .with(spread("sticky", vip, 94, node).sticky())
        .with(spread("sticky-datagrams", vip, 94, node).udp().dsr().sticky());
    let (first, last) = super::fullnat::PORTS;
    let services = [super::tunnels::services(node), super::quic::services(node), more.to_vec()].concat();
    let setup = services.into_iter().fold(setup.snat_ports(first, last), Setup::with);
    let mut contents = setup.contents();
    // As if the service's old backend number had been given to another service already.
    let (web, stale) = (contents.service("web"), contents.service("stale"));
    for backend in contents.image.backends.values_mut() {
        if backend.service == stale {
            backend.service = web;
        }
    }
    // As if the last backend of the service had failed.
    let quic = contents.service("quic");
    if let Some(last) = contents.image.backends.values_mut().rfind(|backend| backend.service == quic) {
        last.serving = 0;
    }
    contents
}

/// A service of five backends whose addresses end in its port's last digits.
fn spread(name: &str, vip: &str, port: u16, node: &Node) -> Service {
    (1..=5).fold(service(name, vip, port), |service, host| {
        service.backend(&format!("10.0.{port}.{host}:80"), node.backend_hop())
    })
}
