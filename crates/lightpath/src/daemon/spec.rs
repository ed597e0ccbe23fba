//! From a configuration to the program that can do what it needs.

use anyhow::{Result, bail};
use lightpath_abi::Features;
use lightpath_control::cpu_list;
use lightpath_control::hops::Vlans;
use lightpath_control::host::ports_for_snat;
use lightpath_control::host::queues::online;
use lightpath_control::model::{Config, Spread};
use lightpath_control::plan::Requirements;
use lightpath_core::{HashKey, PortPool};
use lightpath_dataplane::{Capacity, Cpus, DEFAULT_SESSIONS, Spec};

/// The program that a configuration asks for on a host with these VLAN interfaces.
pub(crate) fn spec(config: &Config, vlans: &Vlans) -> Result<Spec> {
    let needs = Requirements::of(config);
    let translates = needs.features.has(Features::FULLNAT);
    let routes_replies = translates || needs.features.has(Features::NAT);
    let more = if routes_replies && !vlans.is_empty() { Features::VLAN_ROUTES } else { Features::default() };
    let (snat_ports, sessions) = if translates {
        let ports = config.node.snat_ports.clone().map_or_else(ports_for_snat, Ok)?;
        (PortPool { first: *ports.start(), last: *ports.end() }, DEFAULT_SESSIONS)
    } else {
        (PortPool { first: 0, last: 0 }, 1)
    };
    let capacity =
        Capacity::for_use(needs.services, needs.backends, needs.slots, needs.largest_table, needs.entries);
    Ok(Spec {
        features: needs.features | more,
        port_prefixes: needs.port_prefixes,
        hash_key: HashKey::from_seed(&config.node.hash_seed),
        snat_ports,
        spread: spread(&config.node.spread)?,
        capacity: Capacity { sessions, ..capacity },
    })
}

/// The CPUs that packets are spread over. A queue of one that is not there would only fill.
fn spread(wanted: &Spread) -> Result<Cpus> {
    if *wanted == Spread::Off {
        return Ok(Cpus::default());
    }
    let online = online()?;
    let Spread::Over(cpus) = wanted else { return Ok(online.into_iter().collect()) };
    if let Some(cpu) = cpus.difference(&online).next() {
        bail!(
            "node: spread: CPU {cpu} is not online; this host has {}: correct `spread` in [node]",
            cpu_list::write(&online)
        );
    }
    Ok(cpus.iter().copied().collect())
}
