//! What `explain` says is what then happens.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use lightpath_lab::serve_http;
use serde_json::{Value, json};

use crate::common::{Bed, Family, Service, file, finish};

/// Source ports tried in each family; three backends are all met among them.
const PORTS: std::ops::Range<u16> = 41_000..41_012;

#[test]
fn the_backend_that_is_named_is_the_one_that_answers() {
    let mut bed = Bed::one_armed(3);
    let services = Family::BOTH
        .map(|family| Service::web(&format!("web{family:?}"), family.vip(10), &bed.addresses(family)));
    let _servers: Vec<_> = bed
        .backends
        .iter()
        .flat_map(|backend| backend.address.each().map(|address| (backend, address)))
        .map(|(backend, address)| {
            serve_http(&backend.ns, (address, 80).into(), &address.to_string()).unwrap()
        })
        .collect();
    bed.balancer.start_with(&file(bed.interfaces, "", &services));

    let before = bed.balancer.status().0["services"].clone();
    for (family, service) in Family::BOTH.into_iter().zip(&services) {
        let client = family.of(bed.client.address);
        for port in PORTS {
            let [source, destination] =
                [(client, port), (service.vip, 80)].map(|end| SocketAddr::from(end).to_string());
            let explained = explain(&bed, &source, &destination);
            assert_eq!(explained["verdict"], "forward", "{explained}");
            assert_eq!(explained["service"], json!(service.name), "{explained}");
            assert_eq!(explained["moving"], false, "{explained}");
            let answered = fetch(&bed, &client.to_string(), port, &destination);
            assert_eq!(explained["backend"]["address"], json!(answered), "from port {port}: {explained}");
        }
    }
    assert_ne!(bed.balancer.status().0["services"], before, "the requests were counted");
}

#[test]
fn what_is_not_balanced_is_said_to_be_the_kernels_and_nothing_is_counted() {
    let mut bed = Bed::one_armed(1);
    let service = Service::web("web", Family::V4.vip(10), &bed.addresses(Family::V4));
    let vip = service.vip;
    bed.balancer.start_with(&file(bed.interfaces, "", &[service]));
    let before = bed.balancer.status().0["services"].clone();

    let explained = explain(&bed, "198.51.100.7:40000", &format!("{vip}:81"));
    assert_eq!(explained["verdict"], "pass", "{explained}");
    let explained = explain(&bed, "198.51.100.7:40000", &format!("{vip}:80"));
    assert_eq!(explained["verdict"], "forward", "{explained}");
    assert_eq!(bed.balancer.status().0["services"], before, "explaining counts nothing");

    let arguments = ["explain", "--src", "198.51.100.7:1", "--dst", "[2001:db8::1]:80", "--proto", "tcp"];
    let refused = bed.balancer.ask(&arguments);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("different families"), "{refused:?}");
}

fn explain(bed: &Bed, source: &str, destination: &str) -> Value {
    let arguments = ["explain", "--src", source, "--dst", destination, "--proto", "tcp", "--syn", "--json"];
    bed.balancer.ask(&arguments).json()
}

/// The name of the server that answers a request from this address and port.
fn fetch(bed: &Bed, client: &str, port: u16, destination: &str) -> String {
    let mut curl: Command = bed.client.ns.command("curl");
    curl.args(["--silent", "--show-error", "--output", "/dev/null", "--dump-header", "-"]);
    curl.args(["--interface", client, "--local-port", &port.to_string(), &format!("http://{destination}/")]);
    let answer = finish(&mut curl, Duration::from_secs(5));
    let headers = String::from_utf8(answer.stdout.clone()).unwrap();
    let header = headers.lines().find_map(|line| line.strip_prefix("x-backend: "));
    header.unwrap_or_else(|| panic!("no X-Backend in {answer:?}")).trim().to_owned()
}
