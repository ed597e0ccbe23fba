//! From a configuration to what the packet path looks up: lines of the directory, backends, and what the program must be
//! able to do.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;
use lightpath_abi::{
    Address, BackendNumber, Entry, Features, Forward as Mode, Role, ServiceIndex, Slots, Tag,
};
use lightpath_core::{server_id, server_id_line};

use crate::model::{Backend, Config, Forward, Ports, Protocol, Service, Sticky, WhenEmpty};
use crate::ports::{PORT_BITS, prefixes};

/// What a configuration needs of the program and its maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// What the packet path must be able to do.
    pub features: Features,
    /// Bit `n` is set when some service's ports need a prefix of `n` bits; single ports are not listed.
    pub port_prefixes: u32,
    /// Number of services.
    pub services: u32,
    /// Number of backends, over all services.
    pub backends: u32,
    /// Number of slots, over all services.
    pub slots: u32,
    /// Slots of the largest service.
    pub largest_table: u32,
    /// Lines of the directory.
    pub entries: u32,
}

impl Requirements {
    /// The requirements of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        // Tags are not configured: they come with the network.
        let mut needs = Self { features: Features::VLAN, ..Self::default() };
        let mut default_nodes = 0;
        for service in &config.services {
            needs.features = needs.features | features(service);
            for prefix in prefixes(service.ports) {
                if prefix.length < PORT_BITS {
                    needs.port_prefixes |= 1 << prefix.length;
                }
            }
            let tags = count(all_tags(service).len());
            let backends = count(service.backends.len());
            let replies = if service.forward == Forward::Nat { tags * backends } else { 0 };
            let server_ids = if service.quic.is_some() { backends } else { 0 };
            if service.forward == Forward::FullNat {
                // At most one for each backend, where it is the kernel's choice.
                default_nodes += backends;
            }
            needs.services += 1;
            needs.backends += backends;
            needs.slots += service.slots;
            needs.largest_table = needs.largest_table.max(service.slots);
            // One line more for the VIP.
            needs.entries += 1 + tags + replies + server_ids;
        }
        if default_nodes > 0 {
            needs.entries += default_nodes + addresses(&config.node.snat_addresses);
        }
        needs
    }
}

fn features(service: &Service) -> Features {
    let family = match service.vip {
        IpAddr::V4(_) => Features::IPV4,
        IpAddr::V6(_) => Features::IPV6,
    };
    let forward = match service.forward {
        Forward::Nat => Features::NAT,
        Forward::Dsr => Features::DSR,
        Forward::Ipip => Features::IPIP,
        Forward::Gue => Features::GUE,
        Forward::FullNat => Features::FULLNAT,
    };
    let crosses = |backend: &Backend| backend.address.is_ipv4() != service.vip.is_ipv4();
    // Replies come back here, in the backend's family.
    let is_translated = service.forward == Forward::FullNat && service.backends.iter().any(crosses);
    let on = |feature, is_needed| if is_needed { feature } else { Features::default() };
    family
        | forward
        | on(Features::IPV4 | Features::IPV6, is_translated)
        | on(Features::CROSS_FAMILY, service.backends.iter().any(crosses))
        | on(Features::STICKY, service.sticky == Sticky::SourceIp)
        | on(Features::PORT_RANGES, service.ports.single().is_none())
        | on(Features::QUIC, service.quic.is_some())
}

/// How many addresses there are in prefixes.
fn addresses(prefixes: &[IpNet]) -> u32 {
    let of = |prefix: &IpNet| {
        let open = u32::from(prefix.max_prefix_len() - prefix.prefix_len());
        1_u32.checked_shl(open).unwrap_or(u32::MAX)
    };
    prefixes.iter().map(of).fold(0, u32::saturating_add)
}

/// The tags of services with one port, by their VIP.
pub(crate) fn single_ports(config: &Config) -> HashSet<(IpAddr, Tag)> {
    let singles = config.services.iter().filter(|service| service.ports.single().is_some());
    singles.flat_map(|service| all_tags(service).into_iter().map(|tag| (service.vip, tag))).collect()
}

/// The tags under which a service is found. One port of a range may be a prefix by itself; it is left to the service that has
/// it alone, if there is one.
pub(crate) fn service_tags(service: &Service, singles: &HashSet<(IpAddr, Tag)>) -> Vec<Tag> {
    let mut tags = all_tags(service);
    if service.ports.single().is_none() {
        tags.retain(|tag| !singles.contains(&(service.vip, *tag)));
    }
    tags
}

fn all_tags(service: &Service) -> Vec<Tag> {
    tags(Role::Service, service.protocol, service.ports)
}

fn tags(role: Role, protocol: Protocol, ports: Ports) -> Vec<Tag> {
    let number = match protocol {
        Protocol::Tcp => lightpath_core::wire::TCP,
        Protocol::Udp | Protocol::Quic => lightpath_core::wire::UDP,
    };
    prefixes(ports).into_iter().map(|prefix| Tag::new(role, number, prefix.port, prefix.length)).collect()
}

/// The line that says that an address is a VIP, whatever its services, and whether it is an address of this node too.
pub(crate) fn vip_entry(vip: IpAddr, is_local: bool) -> Entry {
    Entry { address: Address::from(vip), tag: Tag::VIP, local: u8::from(is_local), ..Entry::default() }
}

/// The line that says that replies of `fullnat` come to an address.
pub(crate) fn node_entry(address: Address) -> Entry {
    Entry { address, tag: Tag::NODE, ..Entry::default() }
}

/// The lines of a service: one for each of its port prefixes, those by which `nat` replies are known, and the server IDs of
/// QUIC.
pub(crate) fn entries(
    service: &Service,
    service_tags: &[Tag],
    index: ServiceIndex,
    numbers: &[BackendNumber],
) -> Vec<Entry> {
    let vip = Address::from(service.vip);
    let forward = match service.forward {
        Forward::Nat => Mode::Nat,
        Forward::Dsr => Mode::Dsr,
        Forward::Ipip => Mode::Ipip,
        Forward::Gue => Mode::Gue,
        Forward::FullNat => Mode::FullNat,
    };
    let line = |tag| Entry {
        address: vip,
        tag,
        service: index,
        slots: Slots::default(),
        forward: forward as u8,
        sticky: u8::from(service.sticky == Sticky::SourceIp),
        refuses: u8::from(service.when_empty == WhenEmpty::Reject),
        server_id_length: service.quic.map_or(0, |quic| quic.server_id_length),
        config_id: service.quic.map_or(0, |quic| quic.config_id),
        ..Entry::default()
    };
    let mut entries: Vec<Entry> = service_tags.iter().copied().map(line).collect();
    if service.forward == Forward::Nat {
        for (backend, number) in service.backends.iter().zip(numbers) {
            let ports = backend.port.map_or(service.ports, Ports::One);
            entries.extend(tags(Role::Reply, service.protocol, ports).into_iter().map(|tag| Entry {
                address: Address::from(backend.address),
                tag,
                service: index,
                vip,
                vip_port: service.ports.single().unwrap_or(0),
                backend: *number,
                ..Entry::default()
            }));
        }
    }
    for (backend, number) in service.backends.iter().zip(numbers) {
        let id = backend.server_id.map(|id| server_id(id.as_bytes()));
        entries.extend(id.map(|id| server_id_line(id, index, *number)));
    }
    entries
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
