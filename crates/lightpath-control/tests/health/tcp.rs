//! TCP.

use std::net::TcpListener;

use super::servers::Mute;
use super::{servers, words};

#[test]
fn a_port_that_is_open_is_enough() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(words(&["type = \"tcp\""], listener.local_addr().unwrap()), "");
}

#[test]
fn a_closed_port_refuses() {
    assert_eq!(words(&["type = \"tcp\""], servers::closed()), "connection refused");
}

#[test]
fn nobody_who_answers_is_a_timeout() {
    let mute = Mute::new();
    let lines = ["type = \"tcp\"", "timeout = \"100ms\""];
    assert_eq!(words(&lines, mute.backend(1)), "timed out after 100 ms");
}

#[test]
fn another_port_may_be_checked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("port = {}", listener.local_addr().unwrap().port());
    assert_eq!(words(&["type = \"tcp\"", &port], servers::closed()), "");
}
