//! The addresses of this node's own that packets to backends come from.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Checks;
use crate::config::keys::{self, Key};
use crate::config::reader::Located;
use crate::config::{MAX_SNAT_ADDRESSES, MAX_SOURCE_PREFIXES};

impl Checks<'_> {
    pub(super) fn tunnel_sources_are_usable(&self, prefixes: &[Located<IpNet>]) {
        self.prefixes_are_disjoint(prefixes, &keys::TUNNEL_SOURCES);
        self.prefixes_are_no_backends(prefixes, &keys::TUNNEL_SOURCES);
    }

    pub(super) fn snat_addresses_are_usable(&self, prefixes: &[Located<IpNet>]) {
        self.prefixes_are_disjoint(prefixes, &keys::SNAT_ADDRESSES);
        self.prefixes_are_no_backends(prefixes, &keys::SNAT_ADDRESSES);
        self.prefixes_are_no_vips(prefixes);
        self.addresses_can_be_listed(prefixes);
    }

    fn prefixes_are_disjoint(&self, prefixes: &[Located<IpNet>], key: &Key) {
        if let Some(prefix) = prefixes.get(MAX_SOURCE_PREFIXES) {
            let problem = format!("{} prefixes, and there can be {MAX_SOURCE_PREFIXES}", prefixes.len());
            self.of_node(prefix.at, key, problem, "write fewer and shorter ones");
            return;
        }
        for (index, prefix) in prefixes.iter().enumerate() {
            let before = &prefixes[..index];
            let overlapping = before
                .iter()
                .find(|other| other.value.contains(&prefix.value) || prefix.value.contains(&other.value));
            if let Some(other) = overlapping {
                let problem = format!("{} overlaps {}", shown(prefix.value), shown(other.value));
                self.of_node(prefix.at, key, problem, "list each address once");
            }
        }
    }

    /// A host drops packets from its own address (RFC 1122, section 3.2.1.3 for IPv4).
    fn prefixes_are_no_backends(&self, prefixes: &[Located<IpNet>], key: &Key) {
        let backends = || self.services.iter().flat_map(|service| &service.backends);
        for prefix in prefixes {
            let backend = backends()
                .find(|backend| backend.address.is_some_and(|address| prefix.value.contains(&address.value)));
            if let Some((backend, address)) = backend.and_then(|backend| Some((backend, backend.address?))) {
                let problem = within(prefix.value, address.value, &backend.place);
                self.of_node(prefix.at, key, problem, "write addresses that are this node's alone");
            }
        }
    }

    /// A packet to a VIP is a client's, and never a backend's reply.
    fn prefixes_are_no_vips(&self, prefixes: &[Located<IpNet>]) {
        for prefix in prefixes {
            let service = self
                .services
                .iter()
                .find(|service| service.vip.is_some_and(|vip| prefix.value.contains(&vip.value)));
            if let Some((service, vip)) = service.and_then(|service| Some((service, service.vip?))) {
                let problem = within(prefix.value, vip.value, &format!("the VIP of {}", service.place));
                let help = "write addresses that are no VIP";
                self.of_node(prefix.at, &keys::SNAT_ADDRESSES, problem, help);
            }
        }
    }

    /// Each of them has a line in the packet path's directory, so that replies are known.
    fn addresses_can_be_listed(&self, prefixes: &[Located<IpNet>]) {
        let mut sum: u64 = 0;
        for prefix in prefixes {
            let host_bits = u32::from(prefix.value.max_prefix_len() - prefix.value.prefix_len());
            let addresses = 1_u64.checked_shl(host_bits).unwrap_or(u64::MAX);
            sum = sum.saturating_add(addresses);
            if sum > MAX_SNAT_ADDRESSES {
                let problem = format!(
                    "with {} these are more than {MAX_SNAT_ADDRESSES} addresses",
                    shown(prefix.value)
                );
                self.of_node(prefix.at, &keys::SNAT_ADDRESSES, problem, "write fewer, or longer prefixes");
                return;
            }
        }
    }

    fn of_node(&self, at: usize, key: &Key, problem: String, help: &str) {
        self.add(at, keys::NODE_TABLE.name, key, problem, help);
    }
}

fn within(prefix: IpNet, address: IpAddr, of: &str) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        format!("{address} is {of}")
    } else {
        format!("{prefix} contains {address}, which is {of}")
    }
}

/// A prefix, or the one address that it is.
fn shown(prefix: IpNet) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        prefix.addr().to_string()
    } else {
        prefix.to_string()
    }
}
