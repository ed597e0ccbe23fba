//! A balancer with one leg in the segment of its backends, behind a router.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::error::Error;
use crate::namespace::Namespace;
use crate::route::Route;
use crate::topology::{Addresses, Host, add_backends, add_client_addresses, connect, plan, plug_in, switch};

/// The routing table of packets that carry a VIP as their source.
const VIP_TABLE: u32 = 100;

/// The common data-centre layout: client, router, and one segment with the balancer and its backends.
///
/// ```text
/// client eth0 ── eth1 router eth0 ──┐
///                                   switch ── eth0 backend1, backend2, …
///              balancer eth0 ───────┘
/// ```
///
/// The router resolves VIPs ([`plan::VIPS`]) by ARP and neighbour discovery on the segment. Backends answer through the
/// balancer, except from a VIP: that goes straight to the router, as `dsr` and tunnels want it. Client and backends reach
/// each other's addresses by plain routing as well.
///
/// A frame that the balancer returns with `XDP_TX` is only taken by its veth peer if an XDP program is attached there:
/// attach one that passes everything to `to-balancer` in [`switch`](Self::switch). Every port is named that way: `to-router`,
/// `to-backend1`, …
#[derive(Debug)]
pub struct OneArmed {
    /// The client; it has [`plan::MORE_CLIENTS`] as further addresses.
    pub client: Host,
    /// The router: `eth0` on the service segment, `eth1` towards the client.
    pub router: Host,
    /// The balancer, a router of its own whose default route is the router.
    pub balancer: Host,
    /// The backends, numbered from 1 in their namespaces' names.
    pub backends: Vec<Host>,
    /// The switch, with all its ports.
    pub switch: Namespace,
}

impl OneArmed {
    /// Builds it with `backends` backends, at most [`MAX_BACKENDS`](crate::topology::MAX_BACKENDS).
    pub fn new(backends: u8) -> Result<Self, Error> {
        let switch = switch()?;
        let router = router(&switch)?;
        let client = client(&router)?;
        let balancer = balancer(&switch)?;
        let backends = add_backends(backends, &switch, balancer.address)?;
        for backend in &backends {
            answer_from_vips_through(router.address, backend)?;
        }
        Ok(Self { client, router, balancer, backends, switch })
    }
}

fn router(switch: &Namespace) -> Result<Host, Error> {
    let router = Host::new("router", plan::SERVICE.host(plan::ROUTER))?;
    router.ns.forward_packets()?;
    plug_in(&router.ns, "eth0", switch)?;
    router.ns.add_addresses("eth0", &plan::SERVICE.interface(plan::ROUTER))?;
    for prefix in plan::VIPS.prefixes() {
        router.ns.add_route(&Route::to(prefix).dev("eth0"))?;
    }
    Ok(router)
}

fn client(router: &Host) -> Result<Host, Error> {
    let client = Host::new("client", plan::CLIENTS.host(plan::CLIENT))?;
    connect((&client.ns, "eth0"), (&router.ns, "eth1"))?;
    router.ns.add_addresses("eth1", &plan::CLIENTS.interface(plan::ROUTER))?;
    add_client_addresses(&client, plan::CLIENTS.host(plan::ROUTER))?;
    Ok(client)
}

fn balancer(switch: &Namespace) -> Result<Host, Error> {
    let balancer = Host::new("balancer", plan::SERVICE.host(plan::BALANCER))?;
    balancer.ns.forward_packets()?;
    plug_in(&balancer.ns, "eth0", switch)?;
    balancer.ns.add_addresses("eth0", &plan::SERVICE.interface(plan::BALANCER))?;
    balancer.add_default_route(plan::SERVICE.host(plan::ROUTER))?;
    Ok(balancer)
}

fn answer_from_vips_through(router: Addresses, backend: &Host) -> Result<(), Error> {
    for via in router.each() {
        backend.ns.add_route(&Route::default_via(via).dev("eth0").table(VIP_TABLE))?;
    }
    plan::VIPS.prefixes().into_iter().try_for_each(|vips| backend.ns.add_rule(vips, VIP_TABLE))
}

impl Host {
    /// Has a backend accept packets to `vip`, as `dsr` and tunnels need it: the address is on its loopback, and it does not
    /// answer ARP for it, nor use it as the source of its own questions.
    ///
    /// Linux never answers neighbour solicitations for an address of another link, so IPv6 needs no setting.
    pub fn accept_vip(&self, vip: IpAddr) -> Result<(), Error> {
        self.ns.sysctl("net.ipv4.conf.all.arp_ignore", "1")?;
        self.ns.sysctl("net.ipv4.conf.all.arp_announce", "2")?;
        self.ns.add_address("lo", IpNet::from(vip))
    }
}
