//! The daemon's life: starts and ends, and what happens around it meanwhile.

mod announce;
mod api;
mod changes;
mod check_ways;
mod detach;
mod health;
mod hops;
mod instances;
mod interfaces;
mod lossless;
mod memory;
mod migrate;
mod reload;
mod remote;
mod restart;
mod scale;
mod service;
mod spread;
mod upgrade;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use lightpath_lab::{HttpServer, Load, Namespace, serve_http};

use crate::common::{Bed, Family, Service, file};

/// Starts the lab's HTTP server on all backends, on every address of theirs.
fn serve_pages(bed: &Bed) -> Vec<HttpServer> {
    let everywhere = SocketAddr::from(([0_u16; 8], 80));
    let serve = |ns: &Namespace| serve_http(ns, everywhere, ns.name()).unwrap();
    bed.backends.iter().map(|backend| serve(&backend.ns)).collect()
}

/// One `nat` service of all backends for each family, `webV4` and `webV6`.
fn web(bed: &Bed) -> [Service; 2] {
    Family::BOTH.map(|family| Service::web(&format!("web{family:?}"), family.vip(10), &bed.addresses(family)))
}

/// The configuration of [`web`].
fn web_file(bed: &Bed) -> String {
    file(bed.interfaces, "", &web(bed))
}

/// Sends so many requests on fresh connections, none of which may fail; how often each backend answered.
fn answers(client: &Namespace, vip: IpAddr, requests: usize) -> BTreeMap<String, usize> {
    let load = Load {
        to: SocketAddr::new(vip, 80),
        sources: Vec::new(),
        requests,
        concurrency: 8,
        timeout: Duration::from_secs(5),
    };
    let mut answered = BTreeMap::new();
    for answer in load.run(client).unwrap() {
        *answered.entry(answer.unwrap().backend).or_default() += 1;
    }
    answered
}

/// Whether the VIP answers one request right now.
fn is_served(client: &Namespace, vip: IpAddr) -> bool {
    lightpath_lab::http_get(client, None, SocketAddr::new(vip, 80), Duration::from_millis(300)).is_ok()
}

/// Sends so many datagrams to port 53 of a VIP that end at the balancer, their last hop.
fn send_too_far(bed: &Bed, datagrams: usize) {
    let send = || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        // The router takes one.
        socket.set_ttl(2).unwrap();
        for _ in 0..datagrams {
            socket.send_to(b"too far", (Family::V4.vip(10), 53)).unwrap();
        }
    };
    bed.client.ns.run(send).unwrap();
}
