//! Changes at run time: while connections are held, across restarts, and those that are refused.

use std::fs;
use std::net::SocketAddr;

use nix::mount::{MsFlags, mount};

use crate::common::{Balancer, Bed, Family, Held, Output, Service, file, number, serve_lines};

use super::{is_served, serve_pages, web_file};

/// Where lines are served.
const PORT: u16 = 7000;

const NAMES: [&str; 3] = ["one", "two", "three"];

/// A command that must succeed; what it printed.
fn done(balancer: &Balancer, arguments: &[&str]) -> String {
    let output = balancer.ask(arguments);
    assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
    output.stdout
}

fn lines_file(bed: &Bed) -> String {
    let mut service = Service::web("lines", Family::V4.vip(10), &bed.addresses(Family::V4)[..2]);
    service.port = "7000";
    file(bed.interfaces, "", &[service])
}

#[test]
fn held_connections_survive_changes_at_run_time_which_survive_restarts() {
    let mut bed = Bed::one_armed(3);
    for (backend, name) in bed.backends.iter().zip(NAMES) {
        serve_lines(&backend.ns, SocketAddr::from(([0, 0, 0, 0], PORT)), name);
    }
    let addresses = bed.addresses(Family::V4);
    let [one, two, three] = [0, 1, 2].map(|index: usize| addresses[index].to_string());
    bed.balancer.start_with(&lines_file(&bed));
    let service = (Family::V4.vip(10), PORT);
    let held = Held::open(&bed.client.ns, service, 100);
    let new_ones = |bed: &Bed| {
        let more = Held::open(&bed.client.ns, service, 40);
        more.all_talk();
        NAMES.map(|name| more.with(name) > 0)
    };
    assert_eq!(held.all_talk(), 2);
    let balancer = &bed.balancer;

    let printed = done(balancer, &["backend", "add", "lines", &three, "200"]);
    assert_eq!(printed, format!("service lines: backend {three}:7000 added\n"));
    assert_eq!(new_ones(&bed), [true, true, true]);
    held.all_talk();

    let printed = done(balancer, &["backend", "drain", "lines", &one]);
    assert!(
        printed.starts_with(&format!("service lines: backend {one}:7000 weight 100 -> 0, it drains\n")),
        "{printed}"
    );
    // Those that talk from now on are remembered.
    held.all_talk();
    let again = done(balancer, &["backend", "drain", "lines", &format!("{one}:7000")]);
    assert!(again.starts_with("nothing is different\n"), "{again}");
    assert_eq!(new_ones(&bed), [false, true, true]);

    let printed = done(balancer, &["backend", "weight", "lines", &two, "50"]);
    assert_eq!(printed, format!("service lines: backend {two}:7000 weight 100 -> 50\n"));
    held.all_talk();

    // A restart of either kind goes on with all of it.
    for end in [Balancer::stop as fn(&mut Balancer), Balancer::kill] {
        end(&mut bed.balancer);
        held.all_talk();
        bed.balancer.start();
        let status = bed.balancer.status();
        let backends = status.service("lines")["backends"].as_array().unwrap();
        let weights: Vec<u64> = backends.iter().map(|backend| number(&backend["weight"])).collect();
        assert_eq!(weights, [0, 50, 200]);
        assert_eq!(backends[0]["state"], "draining");
        assert_eq!(
            status.0["overrides"],
            serde_json::json!([
                format!("service lines: backend {three}:7000 added"),
                format!("service lines: backend {one}:7000 drained"),
                format!("service lines: backend {two}:7000 weight 50"),
            ])
        );
        assert_eq!(new_ones(&bed), [false, true, true]);
        held.all_talk();
    }

    let balancer = &bed.balancer;
    let printed = done(balancer, &["backend", "remove", "lines", &three]);
    assert!(printed.starts_with(&format!("service lines: backend {three}:7000 removed")), "{printed}");
    done(balancer, &["backend", "enable", "lines", &one]);
    assert_eq!(new_ones(&bed), [true, true, false]);
    assert_eq!(balancer.status().0["file_changed"], false);
    balancer.configure(&format!("{}\n", lines_file(&bed)));
    assert_eq!(balancer.status().0["file_changed"], true);
    let printed = done(balancer, &["reload", "--discard"]);
    assert_eq!(printed, format!("service lines: backend {two}:7000 weight 50 -> 100\n"));
    assert_eq!(balancer.status().0["file_changed"], false);
    assert_eq!(balancer.status().0["overrides"], serde_json::json!([]));
    held.all_talk();
    assert_eq!(balancer.status().0["drops"], serde_json::json!({}));
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_service_comes_and_leaves_while_all_runs() {
    let mut bed = Bed::one_armed(2);
    for (backend, name) in bed.backends.iter().zip(NAMES) {
        serve_lines(&backend.ns, SocketAddr::from(([0, 0, 0, 0], PORT)), name);
    }
    let _servers = serve_pages(&bed);
    bed.balancer.start_with(&web_file(&bed));
    let balancer = &bed.balancer;
    let addresses = bed.addresses(Family::V4);
    let (vip, first) = (Family::V4.vip(20).to_string(), addresses[0].to_string());
    let add = [
        "service",
        "add",
        "lines",
        "--vip",
        &vip,
        "--port",
        "7000",
        "--protocol",
        "tcp",
        "--backend",
        &first,
    ];
    assert_eq!(done(balancer, &add), "service lines: added\n");
    let service = (Family::V4.vip(20), PORT);
    let held = Held::open(&bed.client.ns, service, 20);
    assert_eq!(refused(balancer, &add), "lightpath: there is a service \"lines\" already; remove it first\n");

    let printed = done(balancer, &["service", "remove", "lines"]);
    assert!(printed.starts_with("service lines: removed, its flows may end first\n"), "{printed}");
    held.all_talk();
    let connect = || std::net::TcpStream::connect_timeout(&service.into(), std::time::Duration::from_secs(2));
    let error = bed.client.ns.run(connect).unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);

    // A restart knows it from the tables.
    bed.balancer.kill();
    bed.balancer.start();
    held.all_talk();

    // From a file, where all keys can be written.
    let path = bed.scratch.join("service.toml");
    let backend = format!("[[service.backend]]\naddress = \"{first}\"\nport = 80\n");
    fs::write(
        &path,
        format!(
            "[[service]]\nname = \"more\"\nvip = \"{}\"\nport = 8080\nprotocol = \"tcp\"\n{backend}",
            Family::V4.vip(30)
        ),
    )
    .unwrap();
    let balancer = &bed.balancer;
    let told = refused(balancer, &["service", "add", "--file", path.to_str().unwrap()]);
    assert!(told.contains("is also a backend of service \"webV4\""), "{told}");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("port = 80\n", "port = 81\n")).unwrap();
    assert_eq!(
        done(balancer, &["service", "add", "--file", path.to_str().unwrap()]),
        "service more: added\n"
    );
    done(balancer, &["service", "remove", "more", "--now"]);
    let names: Vec<String> = balancer.status().0["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(|service| service["name"].to_string())
        .collect();
    assert!(!names.iter().any(|name| name.contains("more") || name.contains("8080")), "{names:?}");
    bed.balancer.stop();
    bed.balancer.detach();
}

/// A command that must be refused; what it complained about.
fn refused(balancer: &Balancer, arguments: &[&str]) -> String {
    let Output { code, stderr, .. } = balancer.ask(arguments);
    assert_eq!(code, Some(1), "{arguments:?}: {stderr}");
    stderr
}

#[test]
fn a_change_that_cannot_be_made_or_kept_changes_nothing() {
    let mut bed = Bed::one_armed(2);
    let _servers = serve_pages(&bed);
    let first = bed.addresses(Family::V4)[0].to_string();
    // A state directory in which there is no room.
    let state = bed.scratch.join("state");
    fs::create_dir_all(&state).unwrap();
    mount(Some("tmpfs"), &state, Some("tmpfs"), MsFlags::empty(), Some("size=64k")).unwrap();
    bed.balancer.start_with(&web_file(&bed));
    let balancer = &bed.balancer;
    for (arguments, told) in [
        (
            &["backend", "drain", "wbeV4", &first] as &[&str],
            "there is no service \"wbeV4\"; did you mean \"webV4\"?",
        ),
        (
            &["backend", "drain", "webV4", "192.0.2.1"],
            "service \"webV4\" has no backend 192.0.2.1; its backends are",
        ),
        (&["backend", "enable", "webV4", "192.0.2.1"], "has no backend"),
        (&["backend", "add", "webV4", &first], "already"),
        (&["backend", "add", "webV4", "fd00::1"], "fd00::1 is IPv6 but the VIP"),
        (&["service", "remove", "mail"], "there is no service \"mail\"; the services are webV4, webV6"),
        (&["service", "add", "--file", "/nowhere.toml"], "cannot read /nowhere.toml"),
    ] {
        let complaint = refused(balancer, arguments);
        assert!(complaint.contains(told), "{complaint}");
    }
    let before = balancer.status();
    fs::write(state.join("ballast"), vec![0; 256 << 10]).unwrap_err();
    let complaint = refused(balancer, &["backend", "drain", "webV4", &first]);
    assert!(
        complaint.contains("nothing is changed: cannot write") && complaint.contains("No space left"),
        "{complaint}"
    );
    assert_eq!(balancer.status().backend("webV4", 0)["state"], before.backend("webV4", 0)["state"]);
    fs::remove_file(state.join("ballast")).unwrap();
    done(balancer, &["backend", "drain", "webV4", &first]);
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_state_file_that_makes_no_sense_is_kept_aside_and_the_file_counts() {
    let mut bed = Bed::one_armed(2);
    let _servers = serve_pages(&bed);
    let state = bed.scratch.join("state/default");
    fs::create_dir_all(&state).unwrap();
    let gone =
        r#"{ "version": 1, "backends": [ { "service": "mail", "address": "10.9.9.9", "drained": true } ] }"#;
    let clash = r#"{ "version": 1, "added_services": [ { "name": "x", "vip": "VIP", "port": 80, "protocol": "tcp" } ] }"#
        .replace("VIP", &Family::V4.vip(10).to_string());
    for (number, (contents, told)) in [
        ("{ \"version\": 1, \"backends", "is damaged"),
        ("{ \"version\": 7 }", "has version 7, and this Lightpath knows version 1"),
        (&clash, "contradict the configuration file"),
        (gone, "a change made at run time is forgotten: service mail: backend 10.9.9.9: there is no such service any more"),
    ]
    .into_iter()
    .enumerate()
    {
        fs::write(state.join("overrides.json"), contents).unwrap();
        bed.balancer.start_with(&web_file(&bed));
        assert!(is_served(&bed.client.ns, Family::V4.vip(10)));
        assert!(bed.balancer.log().contains(told), "{told}");
        if contents != gone {
            let kept = state.join(format!("overrides.json.unusable-{}", number + 1));
            assert_eq!(fs::read_to_string(&kept).unwrap(), contents);
            assert!(bed.balancer.log().contains(&kept.display().to_string()));
        }
        bed.balancer.stop();
    }
    bed.balancer.detach();
}
