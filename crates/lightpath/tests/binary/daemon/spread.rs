//! Packets spread over CPUs, switched on and off while clients ask.

use std::net::SocketAddr;

use crate::common::{Bed, Family, Held, Service, Status, Traffic, eventually, file, number, serve_lines};
use crate::metrics;

use super::serve_pages;

const PORT: u16 = 7000;

/// The configuration, with this in `[node]`.
fn configuration(bed: &Bed, spread: &str) -> String {
    let backends = bed.addresses(Family::V4);
    let mut services = ["pages", "lines"].map(|name| Service::web(name, Family::V4.vip(10), &backends));
    services[1].port = "7000";
    file(bed.interfaces, &format!("metrics = \"127.0.0.1:9800\"\n{spread}"), &services)
}

/// What was given to all CPUs, and what they took.
fn spread(status: &Status) -> [u64; 2] {
    let cpus = status.0["cpus"].as_array().unwrap();
    ["given", "taken"].map(|key| cpus.iter().map(|cpu| number(&cpu[key])).sum())
}

#[test]
fn nobody_notices_that_packets_are_spread_over_cpus_or_are_no_longer() {
    let mut bed = Bed::two_armed(3);
    let _servers = serve_pages(&bed);
    for (backend, name) in bed.backends.iter().zip(["one", "two", "three"]) {
        serve_lines(&backend.ns, SocketAddr::from(([0, 0, 0, 0], PORT)), name);
    }
    bed.balancer.start_with(&configuration(&bed, ""));
    assert!(bed.balancer.status().0["cpus"][0]["given"].is_null(), "nothing was ever spread");
    let held = Held::open(&bed.client.ns, (Family::V4.vip(10), PORT), 50);
    let traffic = Traffic::patient(&bed.client.ns, SocketAddr::new(Family::V4.vip(10), 80));
    for (setting, told) in [
        ("spread = \"all\"", "node: spread off -> all\n"),
        ("spread = \"1\"", "node: spread all -> 1\n"),
        ("", "node: spread 1 -> off\n"),
        ("spread = \"0-1\"", "node: spread off -> 0-1\n"),
    ] {
        bed.balancer.configure(&configuration(&bed, setting));
        let reloaded = bed.balancer.ask(&["reload"]);
        assert_eq!((reloaded.code, reloaded.stdout.as_str()), (Some(0), told), "{reloaded:?}");
        traffic.goes_on_for(60);
        held.all_talk();
    }
    let wrong = configuration(&bed, "spread = \"0,1000\"");
    bed.balancer.configure(&wrong);
    let refused = bed.balancer.ask(&["reload"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("1000"), "{refused:?}");
    held.all_talk();

    let requests = traffic.finish();
    eventually("what was given is taken", || {
        let [given, taken] = spread(&bed.balancer.status());
        given == taken && given > 1000
    });
    let scrape = metrics::get(&bed.balancer.ns, metrics::FIRST, "/metrics", "").unwrap();
    for metric in ["given", "taken"] {
        assert!(scrape.contains(&format!("lightpath_cpu_{metric}_packets_total{{cpu=\"1\"}} ")), "{scrape}");
    }
    println!("{requests} requests, 0 failed");
    bed.balancer.stop();
    bed.balancer.detach();
}
