//! Kernel settings of a namespace.

use std::fs;

use crate::error::Error;
use crate::namespace::Namespace;

/// The kernel gives a new namespace the *host's* IPv4 settings (`net.core.devconf_inherit_init_net`), so a lab would
/// behave differently on a router or behind a container runtime. What matters here is stated instead.
const HOST: &[(&str, &str)] = &[
    ("net.ipv4.ip_forward", "0"),
    // `all` and the interface are combined differently from setting to setting; with both equal it does not matter.
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.conf.all.arp_ignore", "0"),
    ("net.ipv4.conf.default.arp_ignore", "0"),
    ("net.ipv4.conf.all.arp_announce", "0"),
    ("net.ipv4.conf.default.arp_announce", "0"),
    // One-armed forwarding sends packets back where they came from; a redirect would teach hosts to go around it.
    ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.default.send_redirects", "0"),
    ("net.ipv4.conf.all.accept_redirects", "0"),
    ("net.ipv4.conf.default.accept_redirects", "0"),
    // IPv6 has no switch for sending redirects (RFC 4861 section 8.2 makes routers send them): ignore them instead.
    ("net.ipv6.conf.all.accept_redirects", "0"),
    ("net.ipv6.conf.default.accept_redirects", "0"),
    ("net.ipv6.conf.all.disable_ipv6", "0"),
    ("net.ipv6.conf.default.disable_ipv6", "0"),
    // Duplicate address detection keeps an address unusable for a second; nobody else is on these links.
    ("net.ipv6.conf.all.accept_dad", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv6.conf.default.accept_ra", "0"),
];

impl Namespace {
    /// Sets `key`, written as sysctl(8) does (`net.ipv4.ip_forward`), to `value`.
    ///
    /// Interface names must be without dots, which separate the parts of a key.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<(), Error> {
        self.sysctls(&[(key, value)])
    }

    /// Forwards packets of both families, as a router does.
    pub fn forward_packets(&self) -> Result<(), Error> {
        self.sysctls(&[("net.ipv4.ip_forward", "1"), ("net.ipv6.conf.all.forwarding", "1")])
    }

    pub(crate) fn set_host_defaults(&self) -> Result<(), Error> {
        self.sysctls(HOST)
    }

    /// Settings under `net` are those of the network namespace of the thread that opens the file.
    fn sysctls(&self, settings: &[(&str, &str)]) -> Result<(), Error> {
        self.run(|| {
            for (key, value) in settings {
                let path = format!("/proc/sys/{}", key.replace('.', "/"));
                fs::write(path, value).map_err(|error| self.error(format!("set {key} to {value}"), error))?;
            }
            Ok(())
        })?
    }
}
