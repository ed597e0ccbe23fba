//! From a configuration and what is known of the network to the tables of the packet path.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::IpAddr;

use lightpath_abi::{
    self as abi, Address, Backend, BackendNumber, Entry, Features, Forward as Mode, Role, Tag,
};
use lightpath_control::config::parse;
use lightpath_control::health::View;
use lightpath_control::hops::{Hop, NextHop, Reason, Vlans};
use lightpath_control::model::{Config, Forward};
use lightpath_control::plan::Requirements;
use lightpath_control::reconcile::{Condition, Dataplane, Hops, Reconciler, Surroundings};
use lightpath_core::host::{Changes, Image};

/// Keeps what it was last given.
#[derive(Default)]
struct Recorder(Image);

impl Dataplane for Recorder {
    type Error = Infallible;

    fn apply(&mut self, image: &Image) -> Result<Changes, Infallible> {
        self.0 = image.clone();
        Ok(Changes::default())
    }
}

/// A controller of a configuration, with its data plane and what it is told.
struct Node {
    reconciler: Reconciler,
    dataplane: Recorder,
    hops: Hops,
    addresses: BTreeSet<IpAddr>,
    vlans: Vlans,
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The service whose backends are `backends`, with further lines for the node and the service.
fn config(node: &str, vip: &str, service: &str, backends: &[&str]) -> Config {
    let backends: Vec<String> =
        backends.iter().map(|backend| format!("[[service.backend]]\naddress = {backend}")).collect();
    let backends = backends.join("\n");
    let text = format!(
        "[node]\ninterfaces = [\"eth0\"]\n{node}\n[[service]]\nname = \"s\"\nvip = \"{vip}\"\nport = 443\n{service}\n{backends}"
    );
    parse(&text, "f.toml").unwrap()
}

fn tunnel(node: &str, backends: &[&str]) -> Config {
    config(node, "203.0.113.10", "protocol = \"tcp\"\nforward = \"ipip\"", backends)
}

/// A neighbour that the kernel would talk to from `source`.
fn hop(source: Option<&str>) -> Hop {
    Hop::Resolved(NextHop {
        interface: 2,
        interface_name: "eth0".to_owned(),
        vlan: Some(7),
        source_mac: [2, 0, 0, 0, 0, 1],
        mac: [2, 0, 0, 0, 0, 2],
        mtu: 1400,
        source: source.map(address),
    })
}

impl Node {
    fn new(config: Config) -> Self {
        Self::going_on(config, Image::default())
    }

    fn going_on(config: Config, running: Image) -> Self {
        Self {
            reconciler: Reconciler::new(config, &running),
            dataplane: Recorder(running),
            hops: BTreeMap::new(),
            addresses: BTreeSet::new(),
            vlans: Vlans::new(),
        }
    }

    fn with_hop(mut self, backend: &str, hop: Hop) -> Self {
        self.hops.insert(address(backend), hop);
        self
    }

    fn reconcile(&mut self) -> &Image {
        let surroundings = Surroundings {
            hops: &self.hops,
            health: &View::default(),
            addresses: &self.addresses,
            vlans: &self.vlans,
            merged: false,
        };
        self.reconciler.reconcile(surroundings, &mut self.dataplane).unwrap();
        &self.dataplane.0
    }

    fn backend(&self, number: BackendNumber) -> &Backend {
        &self.dataplane.0.backends[&number]
    }

    /// The sources of a backend: first address, bits that differ, prefixes from there on.
    fn sources(&self, number: BackendNumber) -> Vec<(String, u64, u32)> {
        let sources = &self.dataplane.0.sources;
        let Some(first) = sources.get(usize::from(self.backend(number).source)) else { return Vec::new() };
        let group = sources.iter().skip(usize::from(self.backend(number).source)).take(first.count as usize);
        group.map(|source| (source.address.to_string(), source.spread, source.count)).collect()
    }

    fn condition(&self, backend: usize) -> &Condition {
        &self.reconciler.states()[0].backends[backend].condition
    }
}

fn entry(image: &Image, role: Role) -> &Entry {
    image.entries.iter().find(|entry| entry.tag.role() == Some(role)).unwrap()
}

#[test]
fn a_next_hop_carries_its_vlan_and_mtu() {
    let mut node = Node::new(tunnel("", &["\"10.0.0.11\""])).with_hop("10.0.0.11", hop(Some("10.0.0.1")));
    node.reconcile();
    let next = node.backend(1).next_hop();
    assert_eq!((next.interface, next.vlan, next.mtu), (2, 7, 1400));

    let Hop::Resolved(next) = hop(Some("10.0.0.1")) else { unreachable!() };
    node.hops.insert(address("10.0.0.11"), Hop::Resolved(NextHop { mtu: 70_000, vlan: None, ..next }));
    node.reconcile();
    let next = node.backend(1).next_hop();
    assert_eq!((next.vlan, next.mtu), (0, u16::MAX), "no packet is larger");

    node.hops.insert(address("10.0.0.11"), hop(None));
    node.reconcile();
    assert_eq!(
        *node.backend(1).next_hop(),
        abi::NextHop::default(),
        "there is no address to send from any more"
    );
}

#[test]
fn features_follow_from_forwarding_families_and_connection_ids() {
    let rows = [
        ("nat", "203.0.113.10", "\"10.0.0.11\"", Features::NAT),
        ("dsr", "203.0.113.10", "\"10.0.0.11\"", Features::DSR),
        ("ipip", "203.0.113.10", "\"10.0.0.11\"", Features::IPIP),
        ("ipip", "203.0.113.10", "\"fd00::11\"", Features::IPIP | Features::CROSS_FAMILY),
        ("gue", "203.0.113.10", "\"fd00::11\"", Features::GUE | Features::CROSS_FAMILY),
    ];
    for (forward, vip, backend, expected) in rows {
        let service = format!("protocol = \"tcp\"\nforward = \"{forward}\"");
        let needs = Requirements::of(&config("", vip, &service, &[backend]));
        assert_eq!(needs.features, Features::IPV4 | Features::VLAN | expected, "{forward} to {backend}");
    }
    let quic = "protocol = \"quic\"\nquic = { server_id_length = 1 }";
    let needs = Requirements::of(&config("", "2001:db8::1", quic, &["\"fd00::11\"\nserver_id = \"01\""]));
    assert_eq!(needs.features, Features::IPV6 | Features::VLAN | Features::NAT | Features::QUIC);
    assert_eq!(needs.entries, 4, "the VIP, the service, the reply and the server ID");
}

#[test]
fn a_tunnel_comes_from_the_configured_prefixes_of_the_backends_family() {
    let node = "tunnel_sources = [\"10.64.0.0/16\", \"fd00:64::/64\", \"10.80.0.0/28\"]";
    let mut node = Node::new(tunnel(node, &["\"10.0.0.11\"", "\"fd00::11\"", "\"10.0.0.12\""]))
        .with_hop("10.0.0.11", hop(Some("10.0.0.1")))
        .with_hop("fd00::11", hop(None));
    node.reconcile();
    let v4 = [("10.64.0.0".to_owned(), 0xffff, 2), ("10.80.0.0".to_owned(), 0xf, 1)];
    assert_eq!(node.sources(1), v4);
    assert_eq!(node.sources(2), [("fd00:64::".to_owned(), u64::MAX, 1)]);
    assert_eq!(node.backend(3).source, node.backend(1).source, "before its next hop is known");
    assert_eq!(node.dataplane.0.sources.len(), 3, "a group is there once");
}

#[test]
fn without_prefixes_a_tunnel_comes_from_the_address_that_the_kernel_would_use() {
    let mut node =
        Node::new(tunnel("tunnel_sources = [\"fd00:64::/64\"]", &["\"10.0.0.11\"", "\"10.0.0.12\""]))
            .with_hop("10.0.0.11", hop(Some("10.0.0.1")))
            .with_hop("10.0.0.12", hop(None));
    node.reconcile();
    assert_eq!(node.sources(1), [("10.0.0.1".to_owned(), 0, 1)]);
    assert_eq!(*node.condition(0), Condition::Up);
    assert_eq!(*node.condition(1), Condition::Unresolved(Some(Reason::NoSource)));
    assert_eq!(node.backend(2).serving, 0);
}

#[test]
fn a_backend_whose_way_is_lost_keeps_its_source_across_a_restart_too() {
    let config = tunnel("", &["\"10.0.0.11\"", "\"10.0.0.12\""]);
    let mut node = Node::new(config.clone())
        .with_hop("10.0.0.11", hop(Some("10.0.0.1")))
        .with_hop("10.0.0.12", hop(Some("10.0.0.2")));
    node.reconcile();
    let kept = node.backend(2).source;
    node.hops.insert(address("10.0.0.12"), Hop::Unresolved(Reason::NoRoute));
    assert_eq!(node.reconcile().backends[&2].source, kept);

    let mut again =
        Node::going_on(config, node.dataplane.0.clone()).with_hop("10.0.0.11", hop(Some("10.0.0.1")));
    again.reconcile();
    assert_eq!((again.backend(2).source, again.backend(1).source), (kept, node.backend(1).source));
}

#[test]
fn the_other_backends_sources_stay_in_place_when_one_changes() {
    let mut node = Node::new(tunnel("", &["\"10.0.0.11\"", "\"10.0.0.12\""]))
        .with_hop("10.0.0.11", hop(Some("10.0.0.1")))
        .with_hop("10.0.0.12", hop(Some("10.0.0.2")));
    let before = node.reconcile().clone();
    node.hops.insert(address("10.0.0.11"), hop(Some("10.0.0.9")));
    node.reconcile();
    assert_eq!(node.backend(2).source, before.backends[&2].source);
    assert_eq!(node.sources(1), [("10.0.0.9".to_owned(), 0, 1)]);
    assert_eq!(
        &node.dataplane.0.sources[..2],
        &before.sources[..],
        "packets may still be going by the old one"
    );
}

#[test]
fn full_nat_lists_the_addresses_that_replies_come_to() {
    let text = "snat_addresses = [\"10.9.0.4/31\", \"fd00::9\"]";
    let mut config = config(text, "2001:db8::1", "protocol = \"tcp\"", &["\"fd00::11\""]);
    config.services[0].forward = Forward::FullNat;
    config.services[0].backends[0].address = address("10.0.0.11");
    let needs = Requirements::of(&config);
    let families = Features::IPV4 | Features::IPV6 | Features::CROSS_FAMILY;
    let features = families | Features::VLAN | Features::FULLNAT;
    assert_eq!((needs.features, needs.entries), (features, 6), "VIP, service, three addresses, one to spare");

    let mut node = Node::new(config.clone()).with_hop("10.0.0.11", hop(Some("10.0.0.1")));
    let image = node.reconcile();
    let nodes: Vec<Address> =
        image.entries.iter().filter(|entry| entry.tag == Tag::NODE).map(|entry| entry.address).collect();
    assert_eq!(nodes, ["10.9.0.4", "10.9.0.5"].map(|text| Address::from(address(text))));
    assert_eq!(entry(image, Role::Service).forward, Mode::FullNat as u8);

    config.node.snat_addresses.clear();
    let mut node = Node::new(config).with_hop("10.0.0.11", hop(Some("10.0.0.1")));
    assert_eq!(entry(node.reconcile(), Role::Node).address, Address::from(address("10.0.0.1")));
}

#[test]
fn an_empty_service_refuses_unless_it_is_to_drop() {
    let service = "protocol = \"tcp\"";
    let refuses = |more: &str| {
        let service = format!("{service}\n{more}");
        entry(Node::new(config("", "203.0.113.10", &service, &[])).reconcile(), Role::Service).refuses
    };
    assert_eq!(
        (refuses(""), refuses("when_empty = \"reject\""), refuses("when_empty = \"drop\"")),
        (1, 1, 0)
    );
}

#[test]
fn connection_ids_lead_to_backends() {
    let quic = "protocol = \"quic\"\nquic = { server_id_length = 2, config_id = 5 }";
    let backends = ["\"10.0.0.11\"\nserver_id = \"0a01\"", "\"10.0.0.12\"\nserver_id = \"0a02\""];
    let mut node = Node::new(config("", "203.0.113.10", quic, &backends));
    let image = node.reconcile();
    let service = entry(image, Role::Service);
    assert_eq!((service.server_id_length, service.config_id), (2, 5));
    assert_eq!(service.tag, Tag::new(Role::Service, 17, 443, 16), "QUIC is UDP");
    let ids: Vec<&Entry> =
        image.entries.iter().filter(|entry| entry.tag == Tag::server_id(service.service)).collect();
    let first = Address { high: 0x0a01 << 48, low: 0 };
    assert_eq!((ids.len(), ids[0].address, ids[0].backend, ids[1].backend), (2, first, 1, 2));
    assert_eq!(ids[0].service, service.service);
}

#[test]
fn a_backend_that_leaves_keeps_its_server_id_unless_its_successor_has_it() {
    let quic = "protocol = \"quic\"\nquic = { server_id_length = 1 }";
    let service = |backends: &[&str]| config("", "203.0.113.10", quic, backends);
    let mut node =
        Node::new(service(&["\"10.0.0.11\"\nserver_id = \"01\"", "\"10.0.0.12\"\nserver_id = \"02\""]));
    node.reconcile();
    node.reconciler.configure(service(&["\"10.0.0.13\"\nserver_id = \"01\""]));
    let image = node.reconcile();
    let lines: BTreeMap<u64, BackendNumber> = image
        .entries
        .iter()
        .filter(|entry| entry.tag.role() == Some(Role::ServerId))
        .map(|entry| (entry.address.high >> 56, entry.backend))
        .collect();
    let number_of = |text: &str| {
        let found =
            image.backends.iter().find(|(_, backend)| backend.address == Address::from(address(text)));
        *found.unwrap().0
    };
    assert_eq!(lines, BTreeMap::from([(1, number_of("10.0.0.13")), (2, number_of("10.0.0.12"))]));
}

#[test]
fn a_vip_is_local_when_it_is_announced_or_found_on_this_node() {
    let service = "protocol = \"tcp\"";
    let mut announced = Node::new(config("", "203.0.113.10", service, &[]));
    assert_eq!(entry(announced.reconcile(), Role::Vip).local, 1);

    let mut routed = Node::new(config("announce = \"none\"", "203.0.113.10", service, &[]));
    assert_eq!(entry(routed.reconcile(), Role::Vip).local, 0);
    routed.addresses.insert(address("203.0.113.10"));
    assert_eq!(entry(routed.reconcile(), Role::Vip).local, 1);
}

/// Two services, of which the configuration can lose either.
fn two_services(lost: &str) -> Config {
    let text = r#"[node]
interfaces = ["eth0"]
[[service]]
name = "range"
vip = "203.0.113.10"
port = "80-82"
protocol = "tcp"
forward = "dsr"
[[service.backend]]
address = "10.0.0.11"
[[service]]
name = "one"
vip = "203.0.113.10"
port = 82
protocol = "tcp"
forward = "dsr"
[[service.backend]]
address = "10.0.0.12"
"#;
    let mut config = parse(text, "f.toml").unwrap();
    config.services.retain(|service| service.name != lost);
    config
}

/// What the services of an image are found by, with their index.
fn found_by(image: &Image) -> BTreeMap<Tag, u16> {
    let lines = image.entries.iter().filter(|entry| entry.tag.role() == Some(Role::Service));
    lines.map(|entry| (entry.tag, entry.service)).collect()
}

#[test]
fn a_port_of_a_range_that_a_service_has_alone_is_that_services_each_time() {
    let mut node = Node::new(two_services("none"));
    let expected =
        BTreeMap::from([(Tag::new(Role::Service, 6, 80, 15), 1), (Tag::new(Role::Service, 6, 82, 16), 2)]);
    for _ in 0..2 {
        assert_eq!(found_by(node.reconcile()), expected);
    }
}

#[test]
fn a_service_that_leaves_keeps_its_flows_also_across_a_restart() {
    let mut node =
        Node::new(two_services("none")).with_hop("10.0.0.11", hop(None)).with_hop("10.0.0.12", hop(None));
    node.reconcile();
    node.reconciler.configure(two_services("range"));
    // The Maglev table of who is left is exchanged, the other's is emptied.
    let mut running = node.reconcile().clone();
    assert_eq!(running.backends.len(), 2);
    let index = running.backends.iter().find(|(_, backend)| backend.address == address("10.0.0.11").into());
    let (number, backend) = index.map(|(number, backend)| (*number, *backend)).unwrap();
    assert_eq!(backend.serving, 1);
    assert!(running.slots[&backend.service].iter().all(|slot| *slot == 0), "it gets no new flows");
    let service = &node.reconciler.config().services[1];
    assert_eq!(service.name, "203.0.113.10:80-82/tcp");
    assert!(node.reconciler.is_leaving(service, &service.backends[0]));

    for line in &mut running.entries {
        line.slots = abi::Slots::new(0, 65_537);
    }
    let mut again = Node::going_on(two_services("range"), running)
        .with_hop("10.0.0.11", hop(None))
        .with_hop("10.0.0.12", hop(None));
    assert_eq!(again.reconcile().backends[&number], backend);
    assert!(!again.reconciler.release(&BTreeSet::from([number])));
    assert!(again.reconciler.release(&BTreeSet::new()));
    assert_eq!(again.reconcile().backends.len(), 1);
    assert_eq!(again.reconciler.config(), again.reconciler.wanted());

    // What comes back is as it was.
    node.reconciler.configure(two_services("none"));
    assert_eq!(node.reconcile().backends[&number], backend);
    assert_eq!(node.reconciler.config(), &two_services("none"));
}

/// A node of both services, of which one is taken out.
fn node_without(lost: &str) -> Node {
    let mut node =
        Node::new(two_services("none")).with_hop("10.0.0.11", hop(None)).with_hop("10.0.0.12", hop(None));
    node.reconcile();
    node.reconciler.configure(two_services(lost));
    node
}

#[test]
fn a_service_that_leaves_goes_at_once_when_somebody_needs_its_ports_or_says_so() {
    // Port 82 is the range's from now on.
    let node = node_without("one");
    assert_eq!(node.reconciler.config(), node.reconciler.wanted());

    let mut node = node_without("range");
    assert_ne!(node.reconciler.config(), node.reconciler.wanted());
    assert!(node.reconciler.dismiss(|service, _| service.name == "203.0.113.10:80-82/tcp"));
    assert_eq!(node.reconciler.config(), node.reconciler.wanted());

    let mut node = node_without("range");
    let mut all = two_services("range");
    all.services[0].ports = lightpath_control::model::Ports::Range(1, 100);
    node.reconciler.configure(all);
    assert_eq!(node.reconciler.config(), node.reconciler.wanted());
}
