//! The services that the demonstration runs, and the file that configures them.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use lightpath_lab::topology::{Host, plan};

use super::page::INSIDE;

/// A service of the demonstration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DemoService {
    /// Its name.
    pub(super) name: &'static str,
    /// How packets reach its backends.
    pub(super) forward: &'static str,
    /// Host number of its VIP.
    vip: u8,
    v6: bool,
    /// Port of the backends; services share them, and `nat` tells replies apart by it.
    backend_port: u16,
    /// Weight of each backend.
    pub(super) weights: [u16; BACKENDS],
    /// What keeps a client with its backend.
    sticky: &'static str,
}

/// Backends of every service.
pub(super) const BACKENDS: usize = 3;
/// Port of every VIP.
const PORT: u16 = 80;

const EQUAL: [u16; BACKENDS] = [100, 100, 100];

/// `nat` over IPv4, to another port than the client used.
pub(super) const NAT4: DemoService = DemoService {
    name: "nat4",
    forward: "nat",
    vip: 10,
    v6: false,
    backend_port: 8080,
    weights: EQUAL,
    sticky: "none",
};
/// `nat` over IPv6.
pub(super) const NAT6: DemoService = DemoService { name: "nat6", v6: true, ..NAT4 };
/// `dsr` over IPv4.
pub(super) const DSR4: DemoService =
    DemoService { name: "dsr4", forward: "dsr", vip: 20, backend_port: PORT, ..NAT4 };
/// `dsr` over IPv6.
pub(super) const DSR6: DemoService = DemoService { name: "dsr6", v6: true, ..DSR4 };
/// `ipip` with IPv4 within IPv4.
pub(super) const IPIP4: DemoService = DemoService { name: "ipip4", forward: "ipip", vip: 50, ..DSR4 };
/// `gue` with IPv6 within IPv6.
pub(super) const GUE6: DemoService = DemoService { name: "gue6", forward: "gue", vip: 50, ..DSR6 };
/// Three weights.
pub(super) const WEIGHTED: DemoService =
    DemoService { name: "weighted", vip: 30, backend_port: 8081, weights: [1, 2, 3], ..NAT4 };
/// A client address stays with its backend.
pub(super) const STICKY: DemoService =
    DemoService { name: "sticky", vip: 40, backend_port: 8082, sticky: "source-ip", ..NAT4 };

/// All of them.
pub(super) const SERVICES: [DemoService; 8] = [NAT4, NAT6, DSR4, DSR6, IPIP4, GUE6, WEIGHTED, STICKY];

impl DemoService {
    /// The same service with other weights.
    pub(super) fn with_weights(self, weights: [u16; BACKENDS]) -> Self {
        Self { weights, ..self }
    }

    /// Where clients talk to.
    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.vip(), PORT)
    }

    /// Its VIP.
    pub(super) fn vip(&self) -> IpAddr {
        pick(plan::VIPS.host(self.vip), self.v6)
    }

    /// Client addresses of its family.
    pub(super) fn clients(&self) -> Vec<IpAddr> {
        plan::MORE_CLIENTS.map(|host| pick(plan::CLIENTS.host(host), self.v6)).collect()
    }

    /// Whether backends answer clients themselves, from the VIP.
    pub(super) fn is_direct(&self) -> bool {
        self.forward != "nat"
    }

    /// Where a backend's server listens: the VIP itself, or its own address in `nat`.
    pub(super) fn server(&self, backend: &Host) -> SocketAddr {
        if self.is_direct() {
            return self.address();
        }
        SocketAddr::new(pick(backend.address, self.v6), self.backend_port)
    }

    /// The share of flows each backend should get, in order.
    pub(super) fn expected_shares(&self) -> [f64; BACKENDS] {
        let sum: u16 = self.weights.iter().sum();
        self.weights.map(|weight| f64::from(weight) / f64::from(sum))
    }
}

fn pick(addresses: plan::Addresses, v6: bool) -> IpAddr {
    if v6 { addresses.v6.into() } else { addresses.v4.into() }
}

/// The configuration file of all services, with one of them as `changed` says.
pub(super) fn file(backends: &[Host], changed: Option<DemoService>) -> String {
    let mut text = format!("[node]\ninterfaces = [\"eth0\"]\nmetrics = \"{INSIDE}\"\n");
    for service in SERVICES {
        let service = changed.filter(|changed| changed.name == service.name).unwrap_or(service);
        let DemoService { name, forward, sticky, .. } = service;
        let vip = service.vip();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[[service]]\nname = \"{name}\"\nvip = \"{vip}\"\nport = {PORT}\nprotocol = \"tcp\"\nforward = \"{forward}\"\nsticky = \"{sticky}\"\n"
        );
        for (backend, weight) in backends.iter().zip(service.weights) {
            let address = pick(backend.address, service.v6);
            let _ = writeln!(text, "\n[[service.backend]]\naddress = \"{address}\"\nweight = {weight}");
            if forward == "nat" {
                let _ = writeln!(text, "port = {}", service.backend_port);
            }
        }
    }
    text
}
