//! `fullnat` at its limits, and what is said of its flows.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use lightpath_lab::topology::plan;
use lightpath_lab::{UdpFlow, serve_udp_echo};
use serde_json::json;

use crate::common::{Bed, Family, Held, Service, file, number, serve_lines};

const PORT: u16 = 7000;

#[test]
fn a_connection_for_which_there_is_no_port_is_refused_at_once() {
    let mut bed = Bed::one_armed(1);
    serve_lines(&bed.backends[0].ns, SocketAddr::from(([0, 0, 0, 0], PORT)), "one");
    let vip = Family::V4.vip(10);
    let mut service = Service::web("lines", vip, &bed.addresses(Family::V4));
    (service.port, service.forward) = ("7000", "fullnat");
    bed.balancer.start_with(&file(bed.interfaces, "snat_ports = \"20000-20003\"", &[service]));

    let held = Held::open(&bed.client.ns, (vip, PORT), 4);
    let began = Instant::now();
    let connect = || TcpStream::connect_timeout(&SocketAddr::new(vip, PORT), Duration::from_secs(5));
    let refused = bed.client.ns.run(connect).unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "after {:?}", began.elapsed());
    let status = bed.balancer.status();
    assert_eq!(status.0["drops"], serde_json::json!({ "ports-exhausted": 1 }));
    assert_eq!(number(&status.0["flows"]["sessions"]), 4);
    assert_eq!(number(&status.backend("lines", 0)["flows"]), 4);
    held.all_talk();
}

/// A datagram and its answer, explained before there is a session and while there is one.
#[test]
fn a_flow_and_its_replies_are_explained_by_their_session() {
    let mut bed = Bed::one_armed(1);
    let (vip, backend) = (Family::V6.vip(10), Family::V4.of(bed.backends[0].address));
    let server = SocketAddr::new(backend, PORT);
    let _server = serve_udp_echo(&bed.backends[0].ns, server, "one").unwrap();
    let mut service = Service::web("echo", vip, &[backend]);
    (service.port, service.protocol, service.forward) = ("7000", "udp", "fullnat");
    // Of one port there is no doubt.
    bed.balancer.start_with(&file(bed.interfaces, "snat_ports = \"20000-20000\"", &[service]));
    let node = SocketAddr::new(Family::V4.of(plan::SERVICE.host(plan::BALANCER)), 20_000);
    let to_backend = json!(format!("source becomes {node} and destination {server}"));

    let vip = SocketAddr::new(vip, PORT);
    let mut flow = UdpFlow::open(&bed.client.ns, None, vip).unwrap();
    let client = flow.address().unwrap();
    let explain = |source: SocketAddr, destination: SocketAddr| {
        let [source, destination] = [source, destination].map(|end| end.to_string());
        let flow = ["explain", "--src", &source, "--dst", &destination, "--proto", "udp", "--json"];
        bed.balancer.ask(&flow).json()
    };
    for _ in 0..2 {
        let new = explain(client, vip);
        assert_eq!(new["because"], "it opens a session, and its slot names this backend", "{new}");
        assert_eq!([&new["service"], &new["rewrite"]], [&json!("echo"), &to_backend], "{new}");
    }
    assert_eq!(explain(server, node)["verdict"], "pass", "nobody has asked yet");
    assert_eq!(
        number(&bed.balancer.status().0["flows"]["sessions"]),
        0,
        "what is explained is not remembered"
    );

    assert_eq!(flow.ask(Duration::from_secs(5)).unwrap(), "one");
    let known = explain(client, vip);
    assert_eq!(known["because"], "its flow has a session with this backend", "{known}");
    assert_eq!([&known["backend"]["address"], &known["rewrite"]], [&json!(backend), &to_backend], "{known}");
    let reply = explain(server, node);
    let to_client = json!(format!("source becomes {vip} and destination {client}"));
    assert_eq!([&reply["service"], &reply["rewrite"]], [&json!("echo"), &to_client], "{reply}");
    assert_eq!(reply["because"], "a reply of a backend, which goes where this node's routes lead", "{reply}");
    let other = explain(SocketAddr::new(client.ip(), client.port() ^ 1), vip);
    assert_eq!(other["reason"], "ports-exhausted", "{other}");
}
