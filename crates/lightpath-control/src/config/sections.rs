//! The tables of the file: `[node]`, `[[service]]`, `[[service.backend]]`.
//!
//! What is read here is complete as far as each value by itself is right. `None` stands for a value that was
//! reported.

mod health;

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;
use toml_edit::Table;

use super::diagnostic::{Complaint, Report};
use super::reader::{Located, TableReader, field};
use super::{DEFAULT_HASH_SEED, DEFAULT_SLOTS, keys, values};
use crate::model::{
    Announce, Api, Backend, Config, Forward, Health, Node, Ports, Protocol, Queues, Quic, ServerId, Service,
    Spread, Sticky, WhenEmpty, XdpMode,
};
use crate::overrides::Endpoint;

/// The file.
#[derive(Clone, Debug)]
pub(super) struct Written {
    node: Option<Node>,
    /// Those of [`keys::TUNNEL_SOURCES`] that are right by themselves.
    pub(super) tunnel_sources: Vec<Located<IpNet>>,
    /// Those of [`keys::SNAT_ADDRESSES`].
    pub(super) snat_addresses: Vec<Located<IpNet>>,
    pub(super) services: Vec<WrittenService>,
}

/// A `[[service]]`.
#[derive(Clone, Debug)]
pub(crate) struct WrittenService {
    /// How messages name it.
    pub(super) place: String,
    pub(super) name: Option<Located<String>>,
    pub(super) vip: Option<Located<IpAddr>>,
    pub(super) ports: Option<Located<Ports>>,
    pub(super) protocol: Option<Located<Protocol>>,
    pub(super) forward: Option<Located<Forward>>,
    sticky: Option<Located<Sticky>>,
    pub(super) slots: Option<Located<u32>>,
    when_empty: Option<Located<WhenEmpty>>,
    /// `None` inside when it is not written.
    pub(super) quic: Option<Located<Option<Quic>>>,
    /// `None` inside when nothing is checked.
    pub(super) health: Option<Located<Option<Health>>>,
    pub(crate) backends: Vec<WrittenBackend>,
}

/// A `[[service.backend]]`.
#[derive(Clone, Debug)]
pub(crate) struct WrittenBackend {
    /// How messages name it.
    pub(super) place: String,
    /// Where it begins.
    pub(super) at: usize,
    pub(super) address: Option<Located<IpAddr>>,
    /// The port as it is written; `None` inside when it is not.
    pub(super) port: Option<Located<Option<u16>>>,
    pub(super) weight: Option<Located<u16>>,
    /// `None` inside when it is not written.
    pub(super) server_id: Option<Located<Option<ServerId>>>,
}

/// Reads every table of the document.
pub(super) fn read<'a>(root: &'a Table, report: &'a Report<'a>) -> Written {
    let root = TableReader::root(root, report);
    root.refuse_other_keys(&keys::ROOT);
    let table = root.required_table(&keys::NODE_TABLE);
    let prefixes = |key| table.as_ref().and_then(|table| table.list(key, values::source_prefix));
    let (tunnel_sources, snat_addresses) = (prefixes(&keys::TUNNEL_SOURCES), prefixes(&keys::SNAT_ADDRESSES));
    let node = table.as_ref().and_then(|table| node(table, report));
    let services = (1..).zip(root.tables(&keys::SERVICE_TABLES));
    let services = services.map(|(number, table)| numbered_service(table, number));
    Written {
        node,
        tunnel_sources: tunnel_sources.unwrap_or_default(),
        snat_addresses: snat_addresses.unwrap_or_default(),
        services: services.collect(),
    }
}

fn node(table: &TableReader<'_>, report: &Report<'_>) -> Option<Node> {
    table.refuse_other_keys(&keys::NODE);
    let interfaces = table.required_list(&keys::INTERFACES, values::interface);
    let mut seen = HashSet::new();
    for interface in interfaces.iter().flatten() {
        if !seen.insert(&interface.value) {
            let problem = format!("{:?} is listed twice", interface.value);
            let place = field(table.place(), keys::INTERFACES.name);
            report.add(interface.at, Some(place), Complaint::new(problem, "list each interface once"));
        }
    }
    let xdp_modes = [("auto", XdpMode::Auto), ("native", XdpMode::Native), ("generic", XdpMode::Generic)];
    let announcements = [("address", Announce::Address), ("none", Announce::None)];
    let xdp_mode = table.or_default(&keys::XDP_MODE, XdpMode::Auto, values::one_of(&xdp_modes));
    let announce = table.or_default(&keys::ANNOUNCE, Announce::Address, values::one_of(&announcements));
    let hash_seed = table.or_default(&keys::HASH_SEED, DEFAULT_HASH_SEED.to_owned(), values::hash_seed);
    let metrics = table.or_default(&keys::METRICS, None, |given| values::socket(given).map(Some));
    let api = table.optional_table(&keys::API_TABLE, |api_table| api(&api_table.named("node api")));
    let snat_ports = table.or_default(&keys::SNAT_PORTS, None, |given| values::port_range(given).map(Some));
    let queues = table.or_default(&keys::QUEUES, Queues::Keep, values::queues);
    let spread = table.or_default(&keys::SPREAD, Spread::Off, values::spread);
    Some(Node {
        interfaces: interfaces?.into_iter().map(|interface| interface.value).collect(),
        xdp_mode: xdp_mode?.value,
        metrics: metrics?.value,
        api: api?.value,
        announce: announce?.value,
        hash_seed: hash_seed?.value,
        tunnel_sources: Vec::new(),
        snat_addresses: Vec::new(),
        snat_ports: snat_ports?.value,
        queues: queues?.value,
        spread: spread?.value,
    })
}

fn api(table: &TableReader<'_>) -> Option<Api> {
    table.refuse_other_keys(&keys::API);
    let listen = table.required(&keys::LISTEN, values::socket);
    let token_file = table.required(&keys::TOKEN_FILE, values::file);
    let certificate = table.required(&keys::CERTIFICATE, values::file);
    let key = table.required(&keys::CERTIFICATE_KEY, values::file);
    Some(Api {
        listen: listen?.value,
        token_file: token_file?.value,
        certificate: certificate?.value,
        key: key?.value,
    })
}

/// The service of a table, which is the one of this number, from 1.
pub(super) fn numbered_service(table: TableReader<'_>, number: usize) -> WrittenService {
    let place = match table.text(&keys::NAME) {
        Some(name) => format!("service {name:?}"),
        None => format!("service {number}"),
    };
    service(&table.named(place))
}

fn service(table: &TableReader<'_>) -> WrittenService {
    table.refuse_other_keys(&keys::SERVICE);
    let protocols =
        [Protocol::Tcp, Protocol::Udp, Protocol::Quic].map(|protocol| (protocol.name(), protocol));
    let forwards = [Forward::Nat, Forward::Dsr, Forward::Ipip, Forward::Gue, Forward::FullNat]
        .map(|forward| (forward.name(), forward));
    let stickies = [("none", Sticky::None), ("source-ip", Sticky::SourceIp)];
    let endings = [("reject", WhenEmpty::Reject), ("drop", WhenEmpty::Drop)];

    let backends = (1..).zip(table.tables(&keys::BACKEND_TABLES));
    let backends =
        backends.map(|(number, backend_table)| numbered_backend(backend_table, table.place(), number));
    WrittenService {
        name: table.required(&keys::NAME, values::service_name),
        vip: table.required(&keys::VIP, values::unicast_address),
        ports: table.required(&keys::PORT, values::ports),
        protocol: table.required(&keys::PROTOCOL, values::one_of(&protocols)),
        forward: table.or_default(&keys::FORWARD, Forward::Nat, values::one_of(&forwards)),
        sticky: table.or_default(&keys::STICKY, Sticky::None, values::one_of(&stickies)),
        slots: table.or_default(&keys::SLOTS, DEFAULT_SLOTS, values::slots),
        when_empty: table.or_default(&keys::WHEN_EMPTY, WhenEmpty::Reject, values::one_of(&endings)),
        quic: table.optional_table(&keys::QUIC_TABLE, |quic_table| {
            quic(&quic_table.named(format!("{} quic", table.place())))
        }),
        health: table
            .optional_table(&keys::HEALTH_TABLE, |health_table| {
                health::health(&health_table.named(format!("{} health", table.place())))
            })
            .map(|health| Located { value: health.value.flatten(), at: health.at }),
        backends: backends.collect(),
        place: table.place().to_owned(),
    }
}

fn quic(table: &TableReader<'_>) -> Option<Quic> {
    table.refuse_other_keys(&keys::QUIC);
    let longest = u8::try_from(ServerId::LONGEST).unwrap_or(u8::MAX);
    let server_id_length = table.required(&keys::SERVER_ID_LENGTH, values::number(1..=longest));
    // 7 says that a connection ID leads nowhere in particular.
    let config_id = table.or_default(&keys::CONFIG_ID, 0, values::number(0..=6));
    Some(Quic { server_id_length: server_id_length?.value, config_id: config_id?.value })
}

/// The backend of a table, which is the one of this number, from 1, of a service.
pub(super) fn numbered_backend(table: TableReader<'_>, service: &str, number: usize) -> WrittenBackend {
    backend(&table.named(format!("{service} backend {number}")))
}

fn backend(table: &TableReader<'_>) -> WrittenBackend {
    table.refuse_other_keys(&keys::BACKEND);
    WrittenBackend {
        address: table.required(&keys::ADDRESS, values::unicast_address),
        port: table.or_default(&keys::BACKEND_PORT, None, |given| values::port(given).map(Some)),
        weight: table.or_default(&keys::WEIGHT, 100, values::weight),
        server_id: table.or_default(&keys::SERVER_ID, None, |given| values::server_id(given).map(Some)),
        at: table.at(),
        place: table.place().to_owned(),
    }
}

impl Written {
    /// The model, if no value is missing.
    pub(super) fn model(&self) -> Option<Config> {
        let services = self.services.iter().map(WrittenService::model);
        let values = |list: &[Located<IpNet>]| list.iter().map(|prefix| prefix.value).collect();
        let node = Node {
            tunnel_sources: values(&self.tunnel_sources),
            snat_addresses: values(&self.snat_addresses),
            ..self.node.clone()?
        };
        Some(Config { services: services.collect::<Option<_>>()?, node })
    }
}

impl WrittenService {
    fn model(&self) -> Option<Service> {
        let ports = self.ports?.value;
        Some(Service {
            name: self.name.as_ref()?.value.clone(),
            vip: self.vip?.value,
            ports,
            protocol: self.protocol?.value,
            forward: self.forward?.value,
            sticky: self.sticky?.value,
            slots: self.slots?.value,
            when_empty: self.when_empty?.value,
            quic: self.quic?.value,
            health: self.health.as_ref()?.value.clone(),
            backends: self.backends.iter().map(|backend| backend.model(ports)).collect::<Option<_>>()?,
        })
    }

    /// A backend as it is named within the service, as far as it says.
    pub(crate) fn endpoint(&self, backend: &WrittenBackend) -> Option<Endpoint> {
        let port = self.ports.and_then(|ports| backend.effective_port(ports.value));
        Some(Endpoint { address: backend.address?.value, port })
    }
}

impl WrittenBackend {
    /// The port that packets of a service with `ports` have on this backend; `None` keeps the client's.
    pub(super) fn effective_port(&self, ports: Ports) -> Option<u16> {
        let own = self.port.as_ref().and_then(|port| port.value);
        ports.single().map(|port| own.unwrap_or(port))
    }

    fn model(&self, ports: Ports) -> Option<Backend> {
        self.port?;
        Some(Backend {
            address: self.address?.value,
            port: self.effective_port(ports),
            weight: self.weight?.value,
            server_id: self.server_id?.value,
        })
    }
}
