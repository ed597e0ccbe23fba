//! A balancer between its clients and its backends.

use crate::error::Error;
use crate::namespace::Namespace;
use crate::offload::Offload;
use crate::topology::{Host, add_backends, add_client_addresses, connect, plan, plug_in, switch};

/// The balancer is the router: clients on one side, backends on the other.
///
/// ```text
/// client eth0 ── eth0 balancer eth1 ── switch ── eth0 backend1, backend2, …
/// ```
///
/// VIPs ([`plan::VIPS`]) reach the balancer because it is the client's gateway. The far ends of both its links have GRO
/// on, so that they take frames redirected from its other side. A frame returned by `XDP_TX` needs an XDP program at the far
/// end: on the client's `eth0` or on `to-balancer` in [`switch`](Self::switch).
#[derive(Debug)]
pub struct TwoArmed {
    /// The client; it has [`plan::MORE_CLIENTS`] as further addresses.
    pub client: Host,
    /// The balancer: `eth0` towards the client, `eth1` on the service segment (its [`Host::address`]). On both it is host
    /// number [`plan::ROUTER`].
    pub balancer: Host,
    /// The backends, numbered from 1 in their namespaces' names.
    pub backends: Vec<Host>,
    /// The switch, with the ports `to-balancer`, `to-backend1`, …
    pub switch: Namespace,
}

impl TwoArmed {
    /// Builds it with `backends` backends, at most [`MAX_BACKENDS`](crate::topology::MAX_BACKENDS).
    pub fn new(backends: u8) -> Result<Self, Error> {
        let switch = switch()?;
        let balancer = Host::new("balancer", plan::SERVICE.host(plan::ROUTER))?;
        balancer.ns.forward_packets()?;
        let client = client(&balancer)?;
        plug_in(&balancer.ns, "eth1", &switch)?;
        balancer.ns.add_addresses("eth1", &plan::SERVICE.interface(plan::ROUTER))?;
        switch.set_offload("to-balancer", Offload::GenericReceive, true)?;
        let backends = add_backends(backends, &switch, balancer.address)?;
        Ok(Self { client, balancer, backends, switch })
    }
}

fn client(balancer: &Host) -> Result<Host, Error> {
    let client = Host::new("client", plan::CLIENTS.host(plan::CLIENT))?;
    connect((&client.ns, "eth0"), (&balancer.ns, "eth0"))?;
    balancer.ns.add_addresses("eth0", &plan::CLIENTS.interface(plan::ROUTER))?;
    add_client_addresses(&client, plan::CLIENTS.host(plan::ROUTER))?;
    client.ns.set_offload("eth0", Offload::GenericReceive, true)?;
    Ok(client)
}
