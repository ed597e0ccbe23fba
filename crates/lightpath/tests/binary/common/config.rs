//! Configuration files, as text.

use std::fmt;
use std::net::IpAddr;

/// Ways of forwarding whose packets a backend has to unwrap.
pub(crate) const TUNNELS: [&str; 2] = ["ipip", "gue"];

/// Whether a backend is spoken to as the VIP, and its replies do not pass the balancer.
pub(crate) fn is_direct(forward: &str) -> bool {
    forward == "dsr" || TUNNELS.contains(&forward)
}

/// A `[[service]]`.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) vip: IpAddr,
    /// As it stands in the file: `80`, `"8000-8999"` or `"any"`.
    pub(crate) port: &'static str,
    pub(crate) protocol: &'static str,
    pub(crate) forward: &'static str,
    /// Further lines.
    pub(crate) more: &'static str,
    pub(crate) backends: Vec<Backend>,
}

/// A `[[service.backend]]`.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pub(crate) address: IpAddr,
    /// Further lines.
    pub(crate) more: &'static str,
}

impl Service {
    /// HTTP by `nat`.
    pub(crate) fn web(name: &str, vip: IpAddr, backends: &[IpAddr]) -> Self {
        Self {
            name: name.to_owned(),
            vip,
            port: "80",
            protocol: "tcp",
            forward: "nat",
            more: "",
            backends: backends.iter().map(|&address| Backend { address, more: "" }).collect(),
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, vip, port, protocol, forward, more, backends } = self;
        writeln!(f, "\n[[service]]\nname = \"{name}\"\nvip = \"{vip}\"\nport = {port}")?;
        writeln!(f, "protocol = \"{protocol}\"\nforward = \"{forward}\"\n{more}")?;
        backends.iter().try_for_each(|Backend { address, more }| {
            writeln!(f, "\n[[service.backend]]\naddress = \"{address}\"\n{more}")
        })
    }
}

/// The text of a file: `node` holds further lines of its section.
pub(crate) fn file(interfaces: &[&str], node: &str, services: &[Service]) -> String {
    let services: String = services.iter().map(ToString::to_string).collect();
    format!("[node]\ninterfaces = {interfaces:?}\n{node}\n{services}")
}
