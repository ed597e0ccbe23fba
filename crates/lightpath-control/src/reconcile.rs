//! The one loop that changes the data plane: what is configured, and what is known of next hops and health, become the tables that
//! should be; the difference to those that are is applied. Doing it twice changes nothing.

mod condition;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use lightpath_abi::{Address, Backend as BackendEntry, BackendNumber, NextHop, ServiceIndex};
use lightpath_core::host::{Changes, Image};

use crate::health::View;
use crate::hops::{self, Hop, Reason, Vlans};
use crate::leaving::{self, Leaver};
use crate::maglev::{self, Candidate};
use crate::model::{Announce, Backend, Config, Forward, Node, Service};
use crate::numbering::{Exhausted, Numbering};
use crate::plan;
use crate::sources::{NO_SOURCE, Sources};

pub use condition::{Condition, Outage};

use condition::Judge;

/// What is known of the way to each backend address. One that is missing has not been looked up yet.
pub type Hops = BTreeMap<IpAddr, Hop>;

/// What is known of the network around this node.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The way to each backend.
    pub hops: &'a Hops,
    /// What checks say of the backends.
    pub health: &'a View,
    /// Addresses of this node, whoever put them there; those that are no VIP do not matter.
    pub addresses: &'a BTreeSet<IpAddr>,
    /// The VLAN interfaces of this node, to which replies may be routed.
    pub vlans: &'a Vlans,
    /// Whether the kernel may merge packets before the program sees them (GRO does, before generic XDP). Their length then says
    /// nothing of the way that they fit, so none is too big.
    pub merged: bool,
}

/// What the controller asks of a data plane.
pub trait Dataplane {
    /// Why tables could not be applied.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Makes the running tables equal to `image`; a service without slots in it keeps those it has.
    fn apply(&mut self, image: &Image) -> Result<Changes, Self::Error>;
}

/// Why the tables could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum Error<E: std::error::Error + 'static> {
    /// The packet path can name no more backends.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// The data plane refused.
    #[error(transparent)]
    Dataplane(E),
}

/// The state of a service as it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceState {
    /// Its index in the packet path.
    pub index: ServiceIndex,
    /// Its backends, in the order of the configuration.
    pub backends: Vec<BackendState>,
}

/// The state of a backend as it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendState {
    /// Its number in the packet path.
    pub number: BackendNumber,
    /// Whether it takes new flows, and why not.
    pub condition: Condition,
    /// Slots that name it.
    pub slots: u32,
}

/// Keeps the data plane as a configuration wants it.
#[derive(Clone, Debug)]
pub struct Reconciler {
    /// As it was given.
    wanted: Config,
    /// With the backends that are leaving.
    config: Config,
    leaving: BTreeSet<Leaver>,
    numbering: Numbering,
    sources: Sources,
    /// The backends as they were last applied.
    running: BTreeMap<BackendNumber, BackendEntry>,
    /// How many slots each service had and who competed for them, when they were last applied.
    competitions: BTreeMap<ServiceIndex, (u32, Vec<Candidate>)>,
    states: Vec<ServiceState>,
}

impl Reconciler {
    /// For a configuration, going on from what the running tables say.
    #[must_use]
    pub fn new(wanted: Config, running: &Image) -> Self {
        let (config, leaving) = leaving::keep(&leaving::of_running(running), &wanted);
        Self {
            wanted,
            config,
            leaving,
            numbering: Numbering::of_running(running),
            sources: Sources::of_running(running),
            running: running.backends.clone(),
            competitions: BTreeMap::new(),
            states: Vec::new(),
        }
    }

    /// Goes on with another configuration. Backends that it no longer has keep their flows for now.
    pub fn configure(&mut self, config: Config) {
        (self.config, self.leaving) = leaving::keep(&self.config.services, &config);
        self.wanted = config;
    }

    /// Lets go of the leaving backends whose numbers nothing refers to any more; whether there are any.
    pub fn release(&mut self, in_use: &BTreeSet<BackendNumber>) -> bool {
        let mut released = BTreeSet::new();
        for (service, state) in self.config.services.iter().zip(&self.states) {
            for (backend, state) in service.backends.iter().zip(&state.backends) {
                let leaver = (service.name.clone(), backend.address, backend.port);
                if self.leaving.contains(&leaver) && !in_use.contains(&state.number) {
                    released.insert(leaver);
                }
            }
        }
        for service in &mut self.config.services {
            service
                .backends
                .retain(|backend| !released.contains(&(service.name.clone(), backend.address, backend.port)));
        }
        self.leaving.retain(|leaver| !released.contains(leaver));
        self.forget_services();
        !released.is_empty()
    }

    /// Services that were kept for their backends only, all of which have left.
    fn forget_services(&mut self) {
        let wanted: BTreeSet<&str> =
            self.wanted.services.iter().map(|service| service.name.as_str()).collect();
        self.config
            .services
            .retain(|service| !service.backends.is_empty() || wanted.contains(service.name.as_str()));
    }

    /// Lets go of leaving backends at once, whatever flows they have; whether there are any.
    pub fn dismiss(&mut self, is_meant: impl Fn(&Service, &Backend) -> bool) -> bool {
        let before = self.leaving.len();
        for service in &mut self.config.services {
            let mut backends = std::mem::take(&mut service.backends);
            backends.retain(|backend| {
                let leaver = (service.name.clone(), backend.address, backend.port);
                !(self.leaving.contains(&leaver)
                    && is_meant(service, backend)
                    && self.leaving.remove(&leaver))
            });
            service.backends = backends;
        }
        self.forget_services();
        self.leaving.len() < before
    }

    /// The configuration as it was given.
    #[must_use]
    pub fn wanted(&self) -> &Config {
        &self.wanted
    }

    /// Whether a backend is no longer configured and only keeps its flows. The service may be no longer configured either.
    #[must_use]
    pub fn is_leaving(&self, service: &Service, backend: &Backend) -> bool {
        self.leaving.contains(&(service.name.clone(), backend.address, backend.port))
    }

    /// The configuration that is applied: the one given, and the backends that are leaving.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Each service as it is applied, in the order of the configuration.
    #[must_use]
    pub fn states(&self) -> &[ServiceState] {
        &self.states
    }

    /// Brings the data plane up to date. If it fails, what is not yet applied is tried again the next time.
    pub fn reconcile<D: Dataplane>(
        &mut self,
        surroundings: Surroundings<'_>,
        dataplane: &mut D,
    ) -> Result<Changes, Error<D::Error>> {
        let mut image = Image::default();
        let vips: BTreeSet<IpAddr> = self.config.services.iter().map(|service| service.vip).collect();
        image.entries.extend(vips.into_iter().map(|vip| {
            plan::vip_entry(
                vip,
                self.config.node.announce == Announce::Address || surroundings.addresses.contains(&vip),
            )
        }));
        self.sources.begin();
        let mut translating = BTreeSet::new();
        let before: BTreeMap<ServiceIndex, &ServiceState> =
            self.states.iter().map(|state| (state.index, state)).collect();
        let mut states = Vec::new();
        let mut competitions = BTreeMap::new();
        let mut claimed = BTreeSet::new();
        let singles = plan::single_ports(&self.config);
        for service in &self.config.services {
            let tags = plan::service_tags(service, &singles);
            let index = self.numbering.service(service.vip, &tags, &mut claimed);
            let mut numbers = Vec::new();
            let mut candidates = Vec::new();
            let mut backends = Vec::new();
            let judge = Judge::new(service, surroundings.health);
            for backend in &service.backends {
                let number = self.numbering.backend(index, backend)?;
                let hop = surroundings.hops.get(&backend.address);
                let group = source_group(&self.config.node, service.forward, backend, hop);
                let source = match group {
                    None => 0,
                    Some(Group::Of(prefixes)) => self.sources.place(&prefixes),
                    Some(Group::AsBefore) => self.sources.keep(self.running.get(&number), backend.address),
                };
                if service.forward == Forward::FullNat {
                    translating.insert(source);
                }
                let way = way(hop, source);
                let condition = judge.condition(backend, way.as_ref().map(drop).map_err(Clone::clone));
                if condition.takes_flows() {
                    candidates.push(candidate(backend, number, condition.weight(backend)));
                }
                let entry = backend_entry(index, backend, way.ok(), surroundings.merged);
                let serving = if condition.keeps_flows(service) { entry.serving } else { 0 };
                image.backends.insert(number, BackendEntry { source, serving, ..entry });
                backends.push(BackendState { number, condition, slots: 0 });
                numbers.push(number);
            }
            image.entries.extend(plan::entries(service, &tags, index, &numbers));
            candidates.sort_unstable();
            let competition = (service.slots, candidates);
            match before.get(&index) {
                Some(before) if self.competitions.get(&index) == Some(&competition) => {
                    keep_shares(&mut backends, before);
                }
                _ => drop(image.slots.insert(index, slots(service, &competition.1, &mut backends))),
            }
            competitions.insert(index, competition);
            states.push(ServiceState { index, backends });
        }
        let nodes: BTreeSet<Address> =
            translating.into_iter().flat_map(|source| self.sources.addresses(source)).collect();
        image.entries.extend(nodes.into_iter().map(plan::node_entry));
        image.sources = self.sources.table().to_vec();
        image.vlans.clone_from(surroundings.vlans);
        let changes = dataplane.apply(&image).map_err(Error::Dataplane)?;
        self.sources.end();
        self.numbering.retain(&image);
        self.competitions = competitions;
        self.states = states;
        self.running = image.backends;
        Ok(changes)
    }
}

/// Where packets to a backend come from.
enum Group {
    /// These prefixes of this node.
    Of(Vec<IpNet>),
    /// It is the kernel's choice, which is not known now.
    AsBefore,
}

/// Where packets to a backend come from; `None` when they keep the client's address.
fn source_group(node: &Node, forward: Forward, backend: &Backend, hop: Option<&Hop>) -> Option<Group> {
    let configured = match forward {
        Forward::Nat | Forward::Dsr => return None,
        Forward::Ipip | Forward::Gue => &node.tunnel_sources,
        Forward::FullNat => &node.snat_addresses,
    };
    let of_family = |prefix: &&IpNet| prefix.addr().is_ipv4() == backend.address.is_ipv4();
    let prefixes: Vec<IpNet> = configured.iter().filter(of_family).copied().collect();
    Some(match hop {
        _ if !prefixes.is_empty() => Group::Of(prefixes),
        Some(Hop::Resolved(hop)) => Group::Of(hop.source.into_iter().map(IpNet::from).collect()),
        Some(Hop::Unresolved(_)) | None => Group::AsBefore,
    })
}

/// The next hop of a backend, or why packets cannot be sent to it; `None` while its way is first looked up.
fn way(hop: Option<&Hop>, source: u16) -> Result<&hops::NextHop, Option<Reason>> {
    match hop {
        None => Err(None),
        Some(Hop::Unresolved(reason)) => Err(Some(reason.clone())),
        Some(Hop::Resolved(_)) if source == NO_SOURCE => Err(Some(Reason::NoSource)),
        Some(Hop::Resolved(hop)) => Ok(hop),
    }
}

fn candidate(backend: &Backend, number: BackendNumber, weight: u16) -> Candidate {
    Candidate { key: maglev::identity(backend.address, backend.port), weight, number }
}

pub(crate) fn backend_entry(
    service: ServiceIndex,
    backend: &Backend,
    hop: Option<&hops::NextHop>,
    merged: bool,
) -> BackendEntry {
    let next_hop = hop.map_or_else(NextHop::default, |hop| NextHop {
        mac: hop.mac,
        source_mac: hop.source_mac,
        vlan: hop.vlan.unwrap_or(0),
        // No IP packet is larger, so an MTU beyond limits nothing either.
        mtu: if merged { 0 } else { u16::try_from(hop.mtu).unwrap_or(u16::MAX) },
        interface: hop.interface,
    });
    BackendEntry {
        address: Address::from(backend.address),
        hops: [next_hop; 2],
        service,
        port: backend.port.unwrap_or(0),
        serving: u8::from(next_hop.interface != 0),
        ..BackendEntry::default()
    }
}

/// The Maglev table of a service, with each backend told how much of it is its own.
fn slots(service: &Service, candidates: &[Candidate], backends: &mut [BackendState]) -> Vec<BackendNumber> {
    let table = maglev::table(candidates, service.slots);
    let last = candidates.iter().map(|candidate| candidate.number).max().unwrap_or(0);
    let mut shares = vec![0; usize::from(last) + 1];
    for number in &table {
        shares[usize::from(*number)] += 1;
    }
    for backend in backends.iter_mut().filter(|backend| backend.condition.takes_flows()) {
        backend.slots = shares[usize::from(backend.number)];
    }
    table
}

fn keep_shares(backends: &mut [BackendState], before: &ServiceState) {
    let shares: BTreeMap<BackendNumber, u32> =
        before.backends.iter().map(|backend| (backend.number, backend.slots)).collect();
    for backend in backends {
        backend.slots = shares.get(&backend.number).copied().unwrap_or(0);
    }
}
