//! What a configuration means, and the message for every mistake in one.
//!
//! Each row of a table of mistakes takes a right configuration, replaces one piece of it and lists all messages that
//! follow.

mod endpoints;
mod health;
mod keys;
mod meaning;
mod queues;
mod quic;
mod relations;
mod sources;
mod values;

use lightpath_control::config::{Diagnostics, parse};

const RIGHT: &str = r#"[node]
interfaces = ["eth0"]

[[service]]
name = "web"
vip = "203.0.113.10"
port = 443
protocol = "tcp"

[[service.backend]]
address = "10.0.0.11"
port = 8443

[[service.backend]]
address = "10.0.0.12"

[[service]]
name = "dns"
vip = "2001:db8::53"
port = 53
protocol = "udp"
forward = "dsr"

[[service.backend]]
address = "2001:db8:1::11"
"#;

/// A piece of [`RIGHT`], what stands there instead, and the messages without the file's name.
type Row = (&'static str, &'static str, &'static [&'static str]);

fn check(rows: &[Row]) {
    let mut wrong = Vec::new();
    for (piece, instead, expected) in rows {
        assert_eq!(RIGHT.matches(piece).count(), 1, "{piece:?} names one place");
        let mistakes = mistakes(&RIGHT.replace(piece, instead));
        let expected: Vec<String> = expected.iter().map(|line| format!("f.toml:{line}")).collect();
        if mistakes != expected {
            wrong.push(format!("{instead}\n  got      {mistakes:#?}\n  expected {expected:#?}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

fn mistakes(text: &str) -> Vec<String> {
    parse(text, "f.toml").err().iter().flat_map(Diagnostics::iter).map(ToString::to_string).collect()
}

#[test]
fn the_unchanged_configuration_is_right() {
    assert_eq!(mistakes(RIGHT), [""; 0]);
}
