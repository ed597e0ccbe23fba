//! A small load balancer written down as services and backends, and the tables it comes to.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use lightpath_abi::{
    Address, Backend, BackendNumber, Entry, Features, Forward, NextHop, Role, ServiceIndex, Source, Tag,
    VlanInterface,
};
use lightpath_core::host::{HostTables, Image};
use lightpath_core::wire::{TCP, UDP};
use lightpath_core::{HashKey, Parameters, PortPool, server_id, server_id_line};

use crate::{Ports, Prefix};

/// The node's own addresses that packets to backends come from: the first address, the bits that differ between flows, and how
/// many prefixes belong together from this one on. The first two are what a backend of each family gets unless told.
pub const SOURCES: [(&str, u64, u32); 6] = [
    ("10.0.0.1", 0, 1),
    ("fd00::1", 0, 1),
    ("10.64.0.0", 0xffff, 2),
    ("10.80.0.0", 0xf, 1),
    ("fd00:64::", u64::MAX, 1),
    // No address at all.
    ("0.0.0.0", 0, 0),
];

fn sources() -> Vec<Source> {
    let source = |(first, spread, count)| Source { address: address(first), spread, count, reserved: 0 };
    SOURCES.map(source).to_vec()
}

/// Sessions of `fullnat` that there is room for, unless a test says otherwise.
const SESSIONS: u32 = 512;

/// Lines of the directory, unless a test needs more.
const DIRECTORY_LINES: u32 = 1024;

/// Services in the order in which they were added.
#[derive(Clone, Debug)]
pub struct Setup {
    services: Vec<Service>,
    vlans: BTreeMap<u32, VlanInterface>,
    seed: String,
    features: Features,
    sessions: u32,
    snat_ports: PortPool,
}

/// A service that is being described, `nat` over TCP unless told.
#[derive(Clone, Debug)]
pub struct Service {
    name: String,
    vip: Address,
    ports: Ports,
    protocol: u8,
    forward: Forward,
    sticky: bool,
    refuses: bool,
    local: bool,
    source: Option<u16>,
    /// Length of server IDs and their configuration.
    quic: Option<(u8, u8)>,
    server_ids: Vec<&'static [u8]>,
    backends: Vec<(Address, u16, NextHop)>,
    slots: Option<Vec<usize>>,
}

/// What a [`Setup`] comes to: parameters of the program, and the tables that go with them.
///
/// Services are numbered from 1 in their order; backends are numbered from 1 through all services.
#[derive(Clone, Debug)]
pub struct Contents {
    /// What the program is loaded with.
    pub parameters: Parameters,
    /// What it looks up.
    pub image: Image,
    names: Vec<String>,
}

/// A service of this VIP and these ports.
#[must_use]
pub fn service(name: &str, vip: &str, ports: impl Into<Ports>) -> Service {
    Service {
        name: name.into(),
        vip: address(vip),
        ports: ports.into(),
        protocol: TCP,
        forward: Forward::Nat,
        sticky: false,
        refuses: false,
        local: true,
        source: None,
        quic: None,
        server_ids: Vec::new(),
        backends: Vec::new(),
        slots: None,
    }
}

fn address(text: &str) -> Address {
    text.parse::<IpAddr>().unwrap_or_else(|_| panic!("{text:?} is no address")).into()
}

impl Service {
    /// UDP instead of TCP.
    #[must_use]
    pub fn udp(mut self) -> Self {
        self.protocol = UDP;
        self
    }

    /// Direct server return instead of `nat`.
    #[must_use]
    pub fn dsr(mut self) -> Self {
        self.forward = Forward::Dsr;
        self
    }

    /// An IP tunnel instead of `nat`.
    #[must_use]
    pub fn ipip(mut self) -> Self {
        self.forward = Forward::Ipip;
        self
    }

    /// A GUE tunnel instead of `nat`.
    #[must_use]
    pub fn gue(mut self) -> Self {
        self.forward = Forward::Gue;
        self
    }

    /// Source and destination rewritten, instead of `nat`.
    #[must_use]
    pub fn fullnat(mut self) -> Self {
        self.forward = Forward::FullNat;
        self
    }

    /// Packets to backends come from one of [`SOURCES`], by its place there, instead of the node's own address.
    #[must_use]
    pub fn from_source(mut self, source: u16) -> Self {
        self.source = Some(source);
        self
    }

    /// QUIC, with backends found by server IDs, in the order of the backends, that are valid under this configuration.
    #[must_use]
    pub fn quic(mut self, config_id: u8, server_ids: &[&'static [u8]]) -> Self {
        let length = server_ids.first().map_or(0, |id| id.len());
        self.quic = Some((u8::try_from(length).expect("at most 15 bytes"), config_id));
        self.server_ids = server_ids.to_vec();
        self.udp()
    }

    /// What no backend can take is refused instead of dropped.
    #[must_use]
    pub fn refusing(mut self) -> Self {
        self.refuses = true;
        self
    }

    /// The VIP is no address of the node, only routed to it.
    #[must_use]
    pub fn routed(mut self) -> Self {
        self.local = false;
        self
    }

    /// A client's flows all go to one backend.
    #[must_use]
    pub fn sticky(mut self) -> Self {
        self.sticky = true;
        self
    }

    /// A backend, as "address:port", or as "address" when packets keep the client's port.
    #[must_use]
    pub fn backend(mut self, at: &str, hop: NextHop) -> Self {
        let (address, port) = match at.parse::<SocketAddr>() {
            Ok(at) => (at.ip().into(), at.port()),
            Err(_) => (address(at), 0),
        };
        self.backends.push((address, port, hop));
        self
    }

    /// The backend of each slot, by its place in the order in which they were added, from 1; 0 is none. Unless told, 61 slots
    /// are dealt out in turn.
    #[must_use]
    pub fn slots(mut self, slots: &[usize]) -> Self {
        self.slots = Some(slots.to_vec());
        self
    }

    /// The backend number of each slot when this service's first backend has number `first`.
    fn numbered_slots(&self, first: BackendNumber) -> Vec<BackendNumber> {
        let number = |place: usize| match place {
            0 => 0,
            place => first + BackendNumber::try_from(place - 1).expect("few backends"),
        };
        match &self.slots {
            Some(slots) => slots.iter().copied().map(number).collect(),
            None => (0..61).map(|slot| number(slot % self.backends.len().max(1) + 1)).collect(),
        }
    }

    fn tag(&self, role: Role, prefix: Prefix) -> Tag {
        Tag::new(role, self.protocol, prefix.port, prefix.bits)
    }

    fn features(&self) -> Features {
        let single = matches!(self.ports, Ports::One(_));
        let family = if self.vip.is_v4() { Features::IPV4 } else { Features::IPV6 };
        let forward = match self.forward {
            Forward::Nat => Features::NAT,
            Forward::Dsr => Features::DSR,
            Forward::Ipip => Features::IPIP,
            Forward::Gue => Features::GUE,
            Forward::FullNat => self.fullnat_features(),
        };
        let quic = if self.quic.is_some() { Features::QUIC } else { Features::default() };
        let sticky = if self.sticky { Features::STICKY } else { Features::default() };
        family | forward | quic | sticky | if single { Features::default() } else { Features::PORT_RANGES }
    }

    /// Replies have to be parsed in the backends' family too.
    fn fullnat_features(&self) -> Features {
        let mut features = Features::FULLNAT;
        for (backend, ..) in &self.backends {
            features = features | if backend.is_v4() { Features::IPV4 } else { Features::IPV6 };
            if backend.is_v4() != self.vip.is_v4() {
                features = features | Features::CROSS_FAMILY;
            }
        }
        features
    }

    fn entries(&self, service: ServiceIndex) -> impl Iterator<Item = Entry> {
        self.ports.prefixes().into_iter().map(move |prefix| Entry {
            address: self.vip,
            tag: self.tag(Role::Service, prefix),
            service,
            forward: self.forward as u8,
            sticky: self.sticky.into(),
            refuses: self.refuses.into(),
            server_id_length: self.quic.map_or(0, |(length, _)| length),
            config_id: self.quic.map_or(0, |(_, config_id)| config_id),
            ..Entry::default()
        })
    }

    /// The entries by which replies of a `nat` backend are undone.
    fn replies(
        &self,
        service: ServiceIndex,
        number: BackendNumber,
        address: Address,
        port: u16,
    ) -> Vec<Entry> {
        let prefixes = if port == 0 { self.ports.prefixes() } else { vec![Prefix { port, bits: 16 }] };
        let vip_port = match self.ports {
            Ports::One(vip_port) => vip_port,
            Ports::Range(_) | Ports::Any if port == 0 => 0,
            _ => panic!("{}: which of its ports a reply came to could not be told", self.name),
        };
        let reply = |prefix| Entry {
            address,
            tag: self.tag(Role::Reply, prefix),
            service,
            vip: self.vip,
            vip_port,
            backend: number,
            ..Entry::default()
        };
        prefixes.into_iter().map(reply).collect()
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            services: Vec::new(),
            vlans: BTreeMap::new(),
            seed: "testkit".into(),
            features: Features::VLAN,
            sessions: SESSIONS,
            snat_ports: PortPool { first: 1024, last: 65_535 },
        }
    }
}

impl Setup {
    /// No services yet; tagged packets are looked into.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more service.
    #[must_use]
    pub fn with(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Another seed of the flow hash.
    #[must_use]
    pub fn seed(mut self, seed: &str) -> Self {
        self.seed = seed.into();
        self
    }

    /// Room for so many sessions, a power of two.
    #[must_use]
    pub fn sessions(mut self, sessions: u32) -> Self {
        self.sessions = sessions;
        self
    }

    /// The ports that `fullnat` sends from; 1024 to 65,535 unless told.
    #[must_use]
    pub fn snat_ports(mut self, first: u16, last: u16) -> Self {
        self.snat_ports = PortPool { first, last };
        self
    }

    /// Tagged packets are passed on without a look.
    #[must_use]
    pub fn without_vlan(mut self) -> Self {
        self.features = Features::default();
        self
    }

    /// Routes may lead to these interfaces.
    #[must_use]
    pub fn vlans(mut self, vlans: BTreeMap<u32, VlanInterface>) -> Self {
        self.vlans = vlans;
        self
    }

    /// The tables.
    #[must_use]
    pub fn contents(&self) -> Contents {
        let mut features = self.features;
        if !self.vlans.is_empty() {
            features = features | Features::VLAN_ROUTES;
        }
        let mut port_prefixes = 0;
        let mut image = Image { sources: sources(), vlans: self.vlans.clone(), ..Image::default() };
        let mut next: BackendNumber = 1;
        for (index, service) in (1..).zip(&self.services) {
            features = features | service.features();
            for prefix in service.ports.prefixes() {
                port_prefixes |= (1 << prefix.bits) & 0xffff;
            }
            image.entries.extend(service.entries(index));
            let vip = Entry {
                address: service.vip,
                tag: Tag::VIP,
                local: u8::from(service.local),
                ..Entry::default()
            };
            if !image.entries.contains(&vip) {
                image.entries.push(vip);
            }
            image.slots.insert(index, service.numbered_slots(next));
            for (place, (address, port, hop)) in service.backends.iter().enumerate() {
                if let Some(id) = service.server_ids.get(place) {
                    image.entries.push(server_id_line(server_id(id), index, next));
                }
                if service.forward == Forward::Nat {
                    image.entries.extend(service.replies(index, next, *address, *port));
                }
                let own = u16::from(!address.is_v4());
                let source = service.source.unwrap_or(own);
                if service.forward == Forward::FullNat {
                    for entry in nodes(source) {
                        if !image.entries.contains(&entry) {
                            image.entries.push(entry);
                        }
                    }
                }
                let backend = Backend {
                    address: *address,
                    hops: [*hop, NextHop::default()],
                    service: index,
                    port: *port,
                    serving: 1,
                    source,
                    ..Backend::default()
                };
                image.backends.insert(next, backend);
                next += 1;
            }
        }
        let parameters = Parameters {
            features,
            directory_mask: DIRECTORY_LINES - 1,
            port_prefixes,
            hash_key: HashKey::from_seed(&self.seed),
            session_mask: self.sessions - 1,
            snat_ports: self.snat_ports,
        };
        let names = self.services.iter().map(|service| service.name.clone()).collect();
        Contents { parameters, image, names }
    }
}

/// The entries of this node's addresses that backends with a source answer to: all of its prefixes, which are short.
fn nodes(source: u16) -> Vec<Entry> {
    let sources = sources();
    let first = usize::from(source);
    let count = sources.get(first).map_or(0, |source| source.count as usize);
    let mut entries = Vec::new();
    for Source { address, spread, .. } in sources.into_iter().skip(first).take(count) {
        assert!(spread <= 0xff, "an entry for each address of {address} would be many");
        let addresses = (0..=spread).map(|low| Address { low: address.low | low, ..address });
        entries.extend(addresses.map(|address| Entry { address, tag: Tag::NODE, ..Entry::default() }));
    }
    entries
}

impl Contents {
    /// The tables in ordinary memory.
    #[must_use]
    pub fn host_tables(&self) -> HostTables {
        HostTables::new(self.parameters, &self.image).expect("the directory has room")
    }

    /// The number of the service of this name.
    #[must_use]
    pub fn service(&self, name: &str) -> ServiceIndex {
        let place = self.names.iter().position(|known| known == name);
        let place = place.unwrap_or_else(|| panic!("there is no service {name}"));
        ServiceIndex::try_from(place + 1).expect("few services")
    }

    /// The backends of a service, by number.
    #[must_use]
    pub fn backends(&self, name: &str) -> BTreeMap<BackendNumber, Backend> {
        let service = self.service(name);
        let backends = self.image.backends.iter().filter(|(_, backend)| backend.service == service);
        backends.map(|(number, backend)| (*number, *backend)).collect()
    }
}
