//! The one loop that changes the data plane: what is configured, and what is known of next hops, become the tables that
//! should be; the difference to those that are is applied. Doing it twice changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use lightpath_abi::{Address, Backend as BackendEntry, BackendNumber, NextHop, ServiceIndex};
use lightpath_core::host::{Changes, Image};

use crate::hops::{Hop, Reason};
use crate::maglev::{self, Candidate};
use crate::model::{Backend, Config, Service};
use crate::numbering::{Exhausted, Numbering};
use crate::plan;

/// What is known of the way to each backend address. One that is missing has not been looked up yet.
pub type Hops = BTreeMap<IpAddr, Hop>;

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

/// Whether a backend takes new flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It does.
    Up,
    /// Its weight is 0.
    Draining,
    /// Packets cannot be sent to it; `None` while its way is first looked up.
    Unresolved(Option<Reason>),
}

/// Keeps the data plane as a configuration wants it.
#[derive(Debug)]
pub struct Reconciler {
    config: Config,
    numbering: Numbering,
    /// Who competed for the slots of each service when they were last applied.
    candidates: BTreeMap<ServiceIndex, Vec<Candidate>>,
    states: Vec<ServiceState>,
}

impl Reconciler {
    /// For a configuration, going on from what the running tables say.
    #[must_use]
    pub fn new(config: Config, running: &Image) -> Self {
        Self {
            config,
            numbering: Numbering::of_running(running),
            candidates: BTreeMap::new(),
            states: Vec::new(),
        }
    }

    /// The configuration.
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
        hops: &Hops,
        dataplane: &mut D,
    ) -> Result<Changes, Error<D::Error>> {
        let mut image = Image::default();
        let vips: BTreeSet<IpAddr> = self.config.services.iter().map(|service| service.vip).collect();
        image.entries.extend(vips.into_iter().map(plan::vip_entry));
        let mut states = Vec::new();
        let mut competing = BTreeMap::new();
        let mut claimed = BTreeSet::new();
        for service in &self.config.services {
            let index = self.numbering.service(service, &mut claimed);
            let mut numbers = Vec::new();
            let mut candidates = Vec::new();
            let mut backends = Vec::new();
            for backend in &service.backends {
                let number = self.numbering.backend(index, backend)?;
                let hop = hops.get(&backend.address);
                let condition = condition(backend, hop);
                if condition == Condition::Up {
                    candidates.push(candidate(backend, number));
                }
                image.backends.insert(number, backend_entry(index, backend, hop));
                backends.push(BackendState { number, condition, slots: 0 });
                numbers.push(number);
            }
            image.entries.extend(plan::entries(service, index, &numbers));
            candidates.sort_unstable();
            let previous = self.states.get(states.len()).filter(|state| state.index == index);
            if self.candidates.get(&index) == Some(&candidates) && previous.is_some() {
                keep_shares(&mut backends, previous);
            } else {
                image.slots.insert(index, slots(service, &candidates, &mut backends));
            }
            competing.insert(index, candidates);
            states.push(ServiceState { index, backends });
        }
        let changes = dataplane.apply(&image).map_err(Error::Dataplane)?;
        self.numbering.retain(&image);
        self.candidates = competing;
        self.states = states;
        Ok(changes)
    }
}

fn condition(backend: &Backend, hop: Option<&Hop>) -> Condition {
    match hop {
        None => Condition::Unresolved(None),
        Some(Hop::Unresolved(reason)) => Condition::Unresolved(Some(reason.clone())),
        Some(Hop::Resolved(_)) if backend.weight == 0 => Condition::Draining,
        Some(Hop::Resolved(_)) => Condition::Up,
    }
}

fn candidate(backend: &Backend, number: BackendNumber) -> Candidate {
    Candidate { key: maglev::identity(backend.address, backend.port), weight: backend.weight, number }
}

fn backend_entry(service: ServiceIndex, backend: &Backend, hop: Option<&Hop>) -> BackendEntry {
    let next_hop = match hop {
        Some(Hop::Resolved(hop)) => NextHop {
            mac: hop.mac,
            source_mac: hop.source_mac,
            vlan: hop.vlan.unwrap_or(0),
            // No IP packet is larger, so an MTU beyond limits nothing either.
            mtu: u16::try_from(hop.mtu).unwrap_or(u16::MAX),
            interface: hop.interface,
        },
        Some(Hop::Unresolved(_)) | None => NextHop::default(),
    };
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
    let mut shares: BTreeMap<BackendNumber, u32> = BTreeMap::new();
    for number in &table {
        *shares.entry(*number).or_default() += 1;
    }
    for backend in backends {
        backend.slots = shares.get(&backend.number).copied().unwrap_or(0);
    }
    table
}

fn keep_shares(backends: &mut [BackendState], previous: Option<&ServiceState>) {
    for backend in backends {
        let before =
            previous.and_then(|state| state.backends.iter().find(|old| old.number == backend.number));
        backend.slots = before.map_or(0, |old| old.slots);
    }
}
