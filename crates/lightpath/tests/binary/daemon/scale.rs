//! Large configurations: a thousand services of ten backends, and one service of ten thousand.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use lightpath_lab::Namespace;
use serde_json::json;

use crate::common::{Bed, Status, eventually, finish, number};
use crate::metrics;

const BACKENDS: u32 = 10_000;

/// Times that are promised of a release build on a quiet machine, and what they may come to here.
#[cfg(debug_assertions)]
const SLOWER: u32 = 40;
#[cfg(not(debug_assertions))]
const SLOWER: u32 = 4;

/// The address of a backend.
fn address(number: u32) -> String {
    format!("10.99.{}.{}", number / 250, number % 250 + 1)
}

/// Makes all backends neighbours that need not be asked for.
fn settle(host: &Namespace, path: &Path) {
    let mut batch = String::from("address add 10.99.255.254/16 dev eth0\n");
    for number in 0..BACKENDS {
        let address = address(number);
        writeln!(batch, "neigh add {address} lladdr 02:00:00:00:00:01 dev eth0 nud permanent").unwrap();
    }
    fs::write(path, batch).unwrap();
    let added = finish(host.command("ip").arg("-batch").arg(path), Duration::from_secs(30));
    assert!(added.status.success(), "{added:?}");
}

/// So many services, which share the backends out.
fn file(services: u32, slots: u32) -> String {
    let mut text = "[node]\ninterfaces = [\"eth0\"]\nmetrics = \"127.0.0.1:9800\"\n".to_owned();
    let of_each = BACKENDS / services;
    for service in 0..services {
        writeln!(
            text,
            "[[service]]\nname = \"s{service}\"\nvip = \"203.0.{}.{}\"",
            service / 250,
            service % 250 + 1
        )
        .unwrap();
        writeln!(text, "port = 80\nprotocol = \"tcp\"\nforward = \"dsr\"\nslots = {slots}").unwrap();
        for backend in service * of_each..(service + 1) * of_each {
            writeln!(text, "[[service.backend]]\naddress = \"{}\"", address(backend)).unwrap();
        }
    }
    text
}

#[test]
fn a_thousand_services_of_ten_backends_load_and_change_soon() {
    loads_and_changes(1000, 1021);
}

#[test]
fn a_service_of_ten_thousand_backends_loads_and_changes_soon() {
    loads_and_changes(1, 100_003);
}

fn loads_and_changes(services: u32, slots: u32) {
    let mut bed = Bed::one_armed(1);
    settle(&bed.balancer.ns, &bed.balancer.config().with_file_name("neighbours"));
    bed.balancer.configure(&file(services, slots));
    let start = taken(|| {
        bed.balancer.start();
        // A start does not wait for ever for next hops, and a machine may be busy.
        eventually("all backends are up", || up(&bed.balancer.status(), services) == BACKENDS as usize);
    });

    let change = taken(|| {
        assert_eq!(bed.balancer.ask(&["backend", "weight", "s0", &address(0), "50"]).code, Some(0));
    });
    let changed = file(services, slots).replacen("\"10.99.0.2\"", "\"10.99.0.2\"\nweight = 7", 1);
    bed.balancer.configure(&changed);
    let reload = taken(|| {
        let printed = bed.balancer.ask(&["reload"]);
        assert_eq!(printed.stdout, "service s0: backend 10.99.0.2:80 weight 100 -> 7\n", "{printed:?}");
    });
    let status = bed.balancer.status();
    let weights = [0, 1, 2].map(|index| number(&status.backend("s0", index)["weight"]));
    assert_eq!(json!(weights), json!([50, 7, 100]));
    let scrape = taken(|| {
        let answer = metrics::get(&bed.balancer.ns, metrics::FIRST, "/metrics", "").unwrap();
        let samples = answer.lines().filter(|line| line.starts_with("lightpath_backend_up{")).count();
        assert_eq!(samples, BACKENDS as usize);
    });
    println!("{services} services: scrape {scrape:?}");
    assert!(scrape < Duration::from_millis(100) * SLOWER, "scrape {scrape:?}");
    println!("{services} services: start {start:?}, change {change:?}, reload {reload:?}");
    assert!(start < Duration::from_secs(2) * SLOWER, "start {start:?}");
    assert!(change < Duration::from_millis(100) * SLOWER, "change {change:?}");
    assert!(reload < Duration::from_millis(100) * SLOWER, "reload {reload:?}");
    bed.balancer.stop();
    bed.balancer.detach();
}

/// How many backends are up.
fn up(status: &Status, services: u32) -> usize {
    let all = status.0["services"].as_array().unwrap();
    assert_eq!(all.len(), services as usize);
    let backends = all.iter().flat_map(|service| service["backends"].as_array().unwrap());
    backends.filter(|backend| backend["state"] == "up").count()
}

fn taken(action: impl FnOnce()) -> Duration {
    let began = Instant::now();
    action();
    began.elapsed()
}
