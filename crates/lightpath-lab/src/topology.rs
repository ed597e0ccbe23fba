//! Ready networks of a client, a balancer and backends, with plain kernel routing between all of them.
//!
//! Both use one address plan ([`plan`]), so that a configuration fits either.

mod one_armed;
pub mod plan;
mod two_armed;

use std::{io, iter};

use ipnet::IpNet;

use crate::error::Error;
use crate::link::veth;
use crate::namespace::Namespace;
use crate::route::Route;

pub use one_armed::OneArmed;
pub use plan::{Addresses, Network};
pub use two_armed::TwoArmed;

/// The bridge in the switch's namespace.
pub const BRIDGE: &str = "bridge";
/// The most backends a topology has: `.11` to `.250` of the service segment.
pub const MAX_BACKENDS: u8 = 240;

/// A machine of a topology: its namespace and its address in each family.
#[derive(Clone, Debug)]
pub struct Host {
    /// The network namespace.
    pub ns: Namespace,
    /// Its first address; on the service segment where it has one there.
    pub address: Addresses,
}

impl Host {
    fn new(name: &str, address: Addresses) -> Result<Self, Error> {
        Ok(Self { ns: Namespace::new(name)?, address })
    }

    fn add_default_route(&self, gateway: Addresses) -> Result<(), Error> {
        gateway.each().into_iter().try_for_each(|via| self.ns.add_route(&Route::default_via(via)))
    }
}

/// A switch: a namespace with a bridge.
fn switch() -> Result<Namespace, Error> {
    let switch = Namespace::new("switch")?;
    switch.add_bridge(BRIDGE)?;
    Ok(switch)
}

/// Connects `link` of `host` to a port of the switch, named `to-` and the host's name.
fn plug_in(host: &Namespace, link: &str, switch: &Namespace) -> Result<(), Error> {
    let port = port_name(host);
    connect((host, link), (switch, &port))?;
    switch.add_bridge_port(BRIDGE, &port)
}

fn port_name(host: &Namespace) -> String {
    format!("to-{}", host.name())
}

/// A link whose both ends send finished packets only, whatever is attached to them.
fn connect(a: (&Namespace, &str), b: (&Namespace, &str)) -> Result<(), Error> {
    veth(a, b)?;
    a.0.send_finished_packets(a.1)?;
    b.0.send_finished_packets(b.1)
}

/// Gives the client [`plan::CLIENT`], which it uses by itself, and all of [`plan::MORE_CLIENTS`]; it reaches everything
/// through `gateway`.
fn add_client_addresses(client: &Host, gateway: Addresses) -> Result<(), Error> {
    // With nothing else to choose by, the kernel takes the oldest IPv4 address as the source, but the newest IPv6 address.
    let [first, last] = plan::CLIENTS.interface(plan::CLIENT);
    let more = plan::MORE_CLIENTS.flat_map(|host| plan::CLIENTS.interface(host));
    let addresses: Vec<IpNet> = iter::once(first).chain(more).chain([last]).collect();
    client.ns.add_addresses("eth0", &addresses)?;
    client.add_default_route(gateway)
}

/// Backends plugged into the switch, whose default route is the balancer (so that `nat` replies return through it).
fn add_backends(count: u8, switch: &Namespace, balancer: Addresses) -> Result<Vec<Host>, Error> {
    if count > MAX_BACKENDS {
        let error =
            format!("{count} backends were asked for; the service segment has room for {MAX_BACKENDS}");
        return Err(Error::new(
            "topology",
            "number the backends",
            io::Error::new(io::ErrorKind::InvalidInput, error),
        ));
    }
    (1..=count)
        .map(|number| {
            let host = plan::FIRST_BACKEND + number - 1;
            let backend = Host::new(&format!("backend{number}"), plan::SERVICE.host(host))?;
            plug_in(&backend.ns, "eth0", switch)?;
            backend.ns.add_addresses("eth0", &plan::SERVICE.interface(host))?;
            backend.add_default_route(balancer)?;
            Ok(backend)
        })
        .collect()
}
