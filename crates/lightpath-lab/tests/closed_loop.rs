//! A load of questions and answers between two hosts.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::net::SocketAddr;
use std::time::Duration;

use lightpath_lab::{AfterAnswer, ClosedLoop, Namespace, Travel, serve_plain_udp_echo, serve_tcp_echo, veth};

const SHORT: Duration = Duration::from_millis(200);

/// Two hosts, and an address of the second.
fn hosts() -> (Namespace, Namespace, SocketAddr) {
    let (client, server) = (Namespace::new("client").unwrap(), Namespace::new("server").unwrap());
    veth((&client, "eth0"), (&server, "eth0")).unwrap();
    client.add_address("eth0", "10.0.0.1/24".parse().unwrap()).unwrap();
    server.add_address("eth0", "10.0.0.2/24".parse().unwrap()).unwrap();
    (client, server, "10.0.0.2:80".parse().unwrap())
}

fn load(to: SocketAddr, by: Travel, flows: usize) -> ClosedLoop {
    ClosedLoop { to, by, flows, duration: SHORT }
}

#[test]
fn questions_are_answered_on_connections_that_stay() {
    let (client, server, address) = hosts();
    let _server = serve_tcp_echo(&server, address, AfterAnswer::Keep).unwrap();
    let answered = load(address, Travel::Tcp, 8).run(&client).unwrap();
    assert!(answered.times.len() > 8, "{} answers", answered.times.len());
    assert_eq!(answered.lost, 0);
    assert!(answered.elapsed >= SHORT);
    assert!(answered.times.iter().all(|time| *time <= answered.elapsed));
}

#[test]
fn questions_are_answered_on_fresh_connections() {
    let (client, server, address) = hosts();
    let _server = serve_tcp_echo(&server, address, AfterAnswer::Close).unwrap();
    let answered = load(address, Travel::FreshTcp, 4).run(&client).unwrap();
    assert!(answered.times.len() > 4, "{} answers", answered.times.len());
    assert_eq!(answered.lost, 0);
}

#[test]
fn questions_are_answered_in_datagrams() {
    let (client, server, address) = hosts();
    let _server = serve_plain_udp_echo(&server, address).unwrap();
    let answered = load(address, Travel::Udp, 8).run(&client).unwrap();
    assert!(answered.times.len() > 8, "{} answers", answered.times.len());
}

#[test]
fn what_nobody_answers_is_lost_or_refused() {
    let (client, _server, address) = hosts();
    let silent = ClosedLoop { duration: SHORT * 3, ..load(address, Travel::Udp, 1) };
    let answered = silent.run(&client).unwrap();
    assert!(answered.times.is_empty() && answered.lost > 0, "{answered:?}");
    let refused = load(address, Travel::Tcp, 1).run(&client).unwrap_err();
    assert!(refused.to_string().contains("ask 10.0.0.2:80 by Tcp"), "{refused}");
}

#[test]
fn packets_that_arrive_on_a_link_are_counted() {
    let (client, server, address) = hosts();
    let _server = serve_plain_udp_echo(&server, address).unwrap();
    let before = server.received("eth0").unwrap();
    let answered = load(address, Travel::Udp, 1).run(&client).unwrap();
    let received = server.received("eth0").unwrap() - before;
    assert!(received >= answered.times.len() as u64, "{received} packets, {} answers", answered.times.len());
    assert!(server.received("eth9").is_err());
}
