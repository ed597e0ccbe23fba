//! UDP and ICMP.

use std::net::UdpSocket;

use super::{loopback, servers, words};

#[test]
fn an_answer_contains_what_it_must() {
    let echo = servers::udp(|datagram| vec![datagram.to_ascii_uppercase()]);
    let udp = |more: &[&str]| {
        words(&[&["type = \"udp\"", "send = \"ping\"", "timeout = \"300ms\""], more].concat(), echo)
    };
    assert_eq!(udp(&[]), "");
    assert_eq!(udp(&["expect = \"PIN\""]), "");
    assert_eq!(udp(&["expect = \"hex:50494E47\""]), "");
    assert_eq!(udp(&["expect = \"pong\""]), "4 bytes of the answer do not contain \"pong\"");
}

#[test]
fn silence_and_a_closed_port_are_told_apart() {
    let lines = ["type = \"udp\"", "send = \"ping\"", "timeout = \"200ms\""];
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(words(&lines, silent.local_addr().unwrap()), "timed out after 200 ms");
    let address = silent.local_addr().unwrap();
    drop(silent);
    assert_eq!(words(&lines, address), "port unreachable");
}

#[test]
fn hosts_answer_echo_requests() {
    let icmp = ["type = \"icmp\"", "timeout = \"2s\""];
    assert_eq!(words(&icmp, loopback(1)), "", "this test needs root");
    assert_eq!(words(&icmp, "[::1]:1".parse().unwrap()), "");
}
