//! What right configurations mean, and the promises around reading one.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use lightpath_control::config::{
    DEFAULT_HASH_SEED, DEFAULT_SLOTS, EXAMPLE, LoadError, MAX_BACKENDS, load, markdown, parse,
};
use lightpath_control::model::{
    Announce, Backend, Check, Config, Forward, Health, HttpCheck, Method, Node, OnDown, Ports, Protocol,
    Queues, Quic, ServerId, Service, Spread, Statuses, Sticky, Tls, Trust, Via, WhenEmpty, XdpMode,
};
use proptest::prelude::*;

use super::{RIGHT, mistakes};

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn backend(text: &str, port: Option<u16>, weight: u16) -> Backend {
    Backend { address: address(text), port, weight, server_id: None }
}

#[test]
fn the_example_of_the_reference_means_what_its_comments_say() {
    let node = Node {
        interfaces: vec!["eth0".to_owned()],
        xdp_mode: XdpMode::Auto,
        metrics: None,
        api: None,
        announce: Announce::Address,
        hash_seed: "a phrase of your own".to_owned(),
        tunnel_sources: vec!["10.64.0.0/16".parse().expect("a prefix")],
        snat_addresses: vec![],
        snat_ports: None,
        queues: Queues::Keep,
        spread: Spread::Off,
    };
    let web = Service {
        name: "web".to_owned(),
        vip: address("203.0.113.10"),
        ports: Ports::One(443),
        protocol: Protocol::Tcp,
        forward: Forward::Nat,
        sticky: Sticky::None,
        slots: 65_537,
        when_empty: WhenEmpty::Reject,
        quic: None,
        health: Some(Health {
            check: Check::Https(
                HttpCheck {
                    method: Method::Get,
                    path: "/healthz".to_owned(),
                    host: Some("www.example.com".to_owned()),
                    status: Statuses::new(vec![200..=399]).expect("statuses"),
                    body: None,
                },
                Tls { server_name: None, trust: Trust::Host },
            ),
            via: Via::Direct,
            port: None,
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            rise: 2,
            fall: 3,
            on_down: OnDown::Move,
            slow_start: Duration::ZERO,
            hold_down: Duration::ZERO,
            panic_threshold: 0,
        }),
        backends: vec![backend("10.0.0.11", Some(8443), 100), backend("10.0.0.12", Some(8443), 25)],
    };
    let dns = Service {
        name: "dns".to_owned(),
        vip: address("2001:db8::53"),
        ports: Ports::One(53),
        protocol: Protocol::Udp,
        forward: Forward::Dsr,
        sticky: Sticky::SourceIp,
        slots: 65_537,
        when_empty: WhenEmpty::Reject,
        quic: None,
        health: None,
        backends: vec![backend("2001:db8:1::11", Some(53), 100)],
    };
    let media = Service {
        name: "media".to_owned(),
        vip: address("203.0.113.11"),
        ports: Ports::Range(8000, 8999),
        protocol: Protocol::Udp,
        forward: Forward::Nat,
        sticky: Sticky::None,
        slots: 1009,
        when_empty: WhenEmpty::Drop,
        quic: None,
        health: None,
        backends: vec![backend("10.0.0.21", None, 100), backend("10.0.0.22", None, 0)],
    };
    let api = Service {
        name: "api".to_owned(),
        vip: address("2001:db8::80"),
        ports: Ports::One(443),
        protocol: Protocol::Tcp,
        forward: Forward::Ipip,
        health: None,
        backends: vec![backend("192.0.2.11", Some(443), 100), backend("2001:db8:7::12", Some(443), 100)],
        ..web.clone()
    };
    let h3 = Service {
        name: "h3".to_owned(),
        protocol: Protocol::Quic,
        forward: Forward::Gue,
        quic: Some(Quic { server_id_length: 2, config_id: 0 }),
        backends: vec![Backend {
            server_id: ServerId::new(&[0x0a, 1]),
            ..backend("2001:db8:7::12", Some(443), 100)
        }],
        ..api.clone()
    };
    let services = vec![web, dns, media, api, h3];
    assert_eq!(parse(EXAMPLE, "example.toml"), Ok(Config { node, services }));
}

#[test]
fn every_key_of_this_version_may_be_written_in_one_file() {
    let text = r#"
        [node]
        interfaces = ["eth0", "eth1"]
        xdp_mode   = "native"
        announce   = "none"
        hash_seed  = "equal on all nodes"
        tunnel_sources = ["10.64.0.0/16", "fd00:64::/64"]
        snat_addresses = ["10.9.0.5"]
        snat_ports     = "1024-32767"

        [[service]]
        name     = "web"
        vip      = "203.0.113.10"
        port     = "any"
        protocol = "quic"
        forward  = "nat"
        sticky   = "source-ip"
        slots    = 11
        when_empty = "drop"

        [service.quic]
        server_id_length = 15
        config_id = 6

        [service.health]
        type = "none"

        [[service.backend]]
        address = "10.0.0.11"
        weight  = 65535
        server_id = "000102030405060708090a0b0c0d0e"
    "#;
    let Config { node, services } = parse(text, "f.toml").unwrap();
    assert_eq!((node.xdp_mode, node.announce), (XdpMode::Native, Announce::None));
    assert_eq!(
        (services[0].ports, services[0].sticky, services[0].slots),
        (Ports::Any, Sticky::SourceIp, 11)
    );
    let server_id = ServerId::new(&(0..15).collect::<Vec<u8>>());
    assert_eq!(services[0].backends, [Backend { server_id, ..backend("10.0.0.11", None, 65_535) }]);
}

/// The form that the project's design fixes, with the keys of later versions left out.
#[test]
fn the_form_the_design_fixes_is_read() {
    let text = r#"
        [node]
        interfaces = ["eth0"]        # where XDP is attached
        xdp_mode   = "auto"          # auto | native | generic
        announce   = "address"       # address | none
        hash_seed  = "…"             # equal on all nodes of a cluster
        tunnel_sources = []          # prefixes for outer source addresses (spread by flow); default: the node's own address
        snat_addresses = []          # `fullnat` pool; default: the address of the interface towards the backend

        [[service]]
        name     = "web"
        vip      = "203.0.113.10"    # IPv4 or IPv6
        port     = 443               # a port, "8000-8999", or "any"
        protocol = "tcp"
        forward  = "nat"
        sticky   = "none"            # none | source-ip
        when_empty = "reject"        # reject | drop

        [service.health]
        type = "http"                # tcp | http | https | grpc | dns | udp | icmp | none
        path = "/healthz"
        interval = "2s"
        timeout  = "1s"
        rise = 2
        fall = 3

        [[service.backend]]
        address = "10.0.0.11"
        port    = 8443               # default: the service's port
        weight  = 100                # 0 = no new flows
    "#;
    let config = parse(text, "f.toml").unwrap();
    assert_eq!(config.node.hash_seed, "…");
    assert_eq!(config.services[0].backends, [backend("10.0.0.11", Some(8443), 100)]);
}

#[test]
fn defaults_are_those_of_the_reference() {
    let config = parse(RIGHT, "f.toml").unwrap();
    assert_eq!((config.node.xdp_mode, config.node.announce), (XdpMode::Auto, Announce::Address));
    assert_eq!(config.node.hash_seed, DEFAULT_HASH_SEED);
    let web = &config.services[0];
    assert_eq!((web.forward, web.sticky, web.slots), (Forward::Nat, Sticky::None, DEFAULT_SLOTS));
    assert_eq!(web.backends[1], backend("10.0.0.12", Some(443), 100));

    // Written out as the reference gives them, they change nothing.
    let default_of = |key: &str| {
        let reference = markdown();
        let row =
            reference.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap().to_owned();
        let value = row.split('|').nth(3).unwrap().trim().trim_matches('`').to_owned();
        format!("{key} = {value}\n")
    };
    let lines = |keys: &[&str]| keys.iter().map(|key| default_of(key)).collect::<String>();
    let written = RIGHT
        .replace("[node]\n", &format!("[node]\n{}", lines(&["xdp_mode", "announce", "hash_seed"])))
        .replace(
            "name = \"web\"\n",
            &format!("name = \"web\"\n{}", lines(&["forward", "sticky", "slots", "when_empty"])),
        )
        .replace("[[service.backend]]\n", &format!("[[service.backend]]\n{}", lines(&["weight"])));
    assert_eq!(parse(&written, "f.toml"), Ok(config));
}

#[test]
fn tables_may_be_written_inline() {
    let inline = r#"
        node = { interfaces = ["eth0"] }
        [[service]]
        name = "web"
        vip = "203.0.113.10"
        port = 443
        protocol = "tcp"
        health.type = "none"
        backend = [{ address = "10.0.0.11", port = 8443 }, { address = "10.0.0.12" }]
    "#;
    let config = parse(inline, "f.toml").unwrap();
    let expected = parse(RIGHT, "f.toml").unwrap();
    assert_eq!((&config.node, &config.services[0]), (&expected.node, &expected.services[0]));
}

#[test]
fn a_service_may_be_all_draining_or_have_no_backends_yet() {
    let draining =
        RIGHT.replace("port = 8443", "weight = 0").replace("\"10.0.0.12\"", "\"10.0.0.12\"\nweight = 0");
    assert!(
        parse(&draining, "f.toml").unwrap().services[0].backends.iter().all(|backend| backend.weight == 0)
    );

    let first_service = RIGHT.split("\n[[service.backend]]").next().unwrap();
    assert_eq!(parse(first_service, "f.toml").unwrap().services[0].backends, []);
    assert_eq!(parse("[node]\ninterfaces = [\"eth0\"]", "f.toml").unwrap().services, []);
}

/// A file of as many backends, 5,000 of them to a service.
fn many(backends: usize) -> String {
    let lines = (0..backends).map(|number| {
        let service = number / 5000;
        let head = format!(
            "[[service]]\nname = \"s{service}\"\nvip = \"203.0.113.{service}\"\nport = 80\nprotocol = \"tcp\"\n"
        );
        let head = if number % 5000 == 0 { head } else { String::new() };
        head + &backend_table(service, number % 5000)
    });
    "[node]\ninterfaces = [\"eth0\"]\n".to_owned() + &lines.collect::<String>()
}

fn backend_table(service: usize, number: usize) -> String {
    format!("[[service.backend]]\naddress = \"10.{service}.{}.{}\"\n", number / 256, number % 256)
}

#[test]
fn backend_numbers_suffice_for_exactly_the_allowed_backends() {
    assert_eq!(mistakes(&many(MAX_BACKENDS)), [""; 0]);
    let mistakes = mistakes(&many(MAX_BACKENDS + 2));
    let expected = "service \"s13\" backend 536: this file has 65537 backends, and there can be 65535; \
                    remove some, or run several instances";
    assert!(mistakes.len() == 1 && mistakes[0].ends_with(expected), "{mistakes:?}");
}

#[test]
fn the_default_slots_are_checked_too() {
    let text = many(5000) + &(5000..6554).map(|number| backend_table(0, number)).collect::<String>();
    let expected = "f.toml:3:1: service \"s0\": slots: 65537 slots are too few for 6554 backends with a weight; \
                    write at least 10 for each: 65543 or a larger prime";
    assert_eq!(mistakes(&text), [expected]);
}

#[test]
fn a_message_is_also_an_object_for_machines() {
    let diagnostics = parse(&RIGHT.replace("port = 443", "port = 0"), "f.toml").unwrap_err();
    let expected = serde_json::json!([{
        "file": "f.toml",
        "line": 7,
        "column": 8,
        "field": "service \"web\": port",
        "problem": "0 is not a port",
        "help": "write 1 to 65535, a range such as \"8000-8999\", or \"any\"",
    }]);
    assert_eq!(serde_json::to_value(diagnostics).unwrap(), expected);
}

#[test]
fn a_file_is_loaded_under_its_own_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lightpath.toml");
    let name = path.display();

    let error = load(&path).unwrap_err();
    assert!(matches!(error, LoadError::Unreadable { .. }));
    let expected =
        format!("cannot read the configuration file {name}: No such file or directory (os error 2)");
    assert_eq!(error.to_string(), expected);

    fs::write(&path, RIGHT).unwrap();
    assert_eq!(*load(&path).unwrap().config(), parse(RIGHT, "f.toml").unwrap());

    fs::write(&path, b"[node]\n# caf\xe9\n").unwrap();
    assert_eq!(
        load(&path).unwrap_err().to_string(),
        format!("{name}:2:6: this is not UTF-8; save the file as UTF-8")
    );
}

#[test]
fn the_reference_in_the_documentation_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let written = fs::read_to_string(path).unwrap();
    assert!(
        written == markdown(),
        "docs/configuration.md differs from the declared keys; run\n  \
         cargo run -p lightpath-control --example configuration-reference"
    );
}

proptest! {
    /// Whatever is done to a file, it is a configuration or there is a message that points into it.
    #[test]
    fn every_text_gets_a_model_or_a_message(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, "[\\[\\]\"=.0-9a-z \n{},ü]{0,4}"), 0..4),
    ) {
        let mut characters: Vec<char> = RIGHT.chars().collect();
        for (at, removed, inserted) in edits {
            let at = at.index(characters.len());
            let end = (at + removed).min(characters.len() - 1);
            characters.splice(at..end.max(at), inserted.chars());
        }
        let text: String = characters.into_iter().collect();
        if let Err(diagnostics) = parse(&text, "f.toml") {
            prop_assert!(diagnostics.iter().next().is_some());
            for diagnostic in &diagnostics {
                let line = text.split('\n').nth(diagnostic.line - 1);
                prop_assert!(line.is_some_and(|line| diagnostic.column <= line.chars().count() + 1), "{diagnostic}");
            }
        }
    }
}
