//! Health checks: what the keys of each type mean, and which mistakes there are to make.

use std::time::Duration;

use lightpath_control::config::{markdown, parse};
use lightpath_control::model::{
    Check, DnsCheck, Health, HttpCheck, Method, OnDown, Record, Statuses, Tls, Trust, UdpCheck, Via,
};

use super::mistakes;

/// A service of port 443, or of what `port` says, with these lines in its `[service.health]`.
fn file(port: &str, lines: &[&str]) -> String {
    let lines = lines.join("\n");
    format!(
        "[node]\ninterfaces = [\"eth0\"]\n[[service]]\nname = \"web\"\nvip = \"203.0.113.10\"\nport = {port}\n\
         protocol = \"tcp\"\n[service.health]\n{lines}\n[[service.backend]]\naddress = \"10.0.0.11\"\n"
    )
}

fn health(lines: &[&str]) -> Option<Health> {
    let text = file("443", lines);
    parse(&text, "f.toml")
        .unwrap_or_else(|problems| panic!("{lines:?}: {problems}"))
        .services
        .remove(0)
        .health
}

fn check(lines: &[&str]) -> Check {
    health(lines).expect("checks").check
}

fn http() -> HttpCheck {
    HttpCheck {
        method: Method::Get,
        path: "/".to_owned(),
        host: None,
        status: Statuses::new(vec![200..=399]).expect("statuses"),
        body: None,
    }
}

#[test]
fn defaults_are_those_of_the_reference() {
    let expected = Health {
        check: Check::Tcp,
        via: Via::Direct,
        port: None,
        interval: Duration::from_secs(2),
        timeout: Duration::from_secs(1),
        rise: 2,
        fall: 3,
        on_down: OnDown::Move,
        slow_start: Duration::ZERO,
        hold_down: Duration::ZERO,
        panic_threshold: 0,
    };
    assert_eq!(health(&["type = \"tcp\""]), Some(expected.clone()));
    let reference = markdown();
    let written =
        ["interval", "rise", "fall", "on_down", "slow_start", "hold_down", "panic_threshold"].map(|key| {
            let row = reference.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap();
            format!("{key} = {}", row.split('|').nth(3).unwrap().trim().trim_matches('`'))
        });
    let mut lines: Vec<&str> = written.iter().map(String::as_str).collect();
    lines.extend(["type = \"tcp\"", "timeout = \"1s\""]);
    assert_eq!(health(&lines), Some(expected));
    assert_eq!(health(&["type = \"none\""]), None);
    let brief = health(&["type = \"tcp\"", "interval = \"500ms\""]).unwrap();
    assert_eq!(brief.timeout, Duration::from_millis(500), "no longer than the interval");
}

#[test]
fn every_type_means_what_its_keys_say() {
    let written = health(&[
        "type = \"tcp\"",
        "port = 8080",
        "interval = \"1m\"",
        "timeout = \"1500ms\"",
        "rise = 1",
        "fall = 255",
        "on_down = \"keep\"",
        "slow_start = \"30s\"",
        "hold_down = \"1h\"",
        "panic_threshold = \"40%\"",
    ]);
    let expected = Health {
        check: Check::Tcp,
        via: Via::Direct,
        port: Some(8080),
        interval: Duration::from_mins(1),
        timeout: Duration::from_millis(1500),
        rise: 1,
        fall: 255,
        on_down: OnDown::Keep,
        slow_start: Duration::from_secs(30),
        hold_down: Duration::from_hours(1),
        panic_threshold: 40,
    };
    assert_eq!(written, Some(expected));

    assert_eq!(check(&["type = \"http\""]), Check::Http(http()));
    let all = [
        "type = \"https\"",
        "method = \"HEAD\"",
        "path = \"/live?full=1\"",
        "host = \"www.example.com:8443\"",
        "status = [200, \"300-399\"]",
        "server_name = \"example.com\"",
        "ca = \"/etc/ca.pem\"",
    ];
    let request = HttpCheck {
        method: Method::Head,
        path: "/live?full=1".to_owned(),
        host: Some("www.example.com:8443".to_owned()),
        status: Statuses::new(vec![200..=200, 300..=399]).unwrap(),
        body: None,
    };
    assert_eq!(request.status.to_string(), "200, 300-399");
    let tls = Tls { server_name: Some("example.com".to_owned()), trust: Trust::File("/etc/ca.pem".into()) };
    assert_eq!(check(&all), Check::Https(request, tls));
    let unverified = check(&["type = \"https\"", "verify = false", "status = 204", "body = \"fine\""]);
    let request = HttpCheck {
        status: Statuses::new(vec![204..=204]).unwrap(),
        body: Some("fine".to_owned()),
        ..http()
    };
    assert_eq!(unverified, Check::Https(request, Tls { server_name: None, trust: Trust::Anybody }));

    assert_eq!(check(&["type = \"grpc\""]), Check::Grpc(String::new()));
    assert_eq!(check(&["type = \"grpc\"", "service = \"a.B\""]), Check::Grpc("a.B".to_owned()));
    let tls = Tls { server_name: Some("a.example".to_owned()), trust: Trust::Anybody };
    assert_eq!(
        check(&["type = \"grpcs\"", "server_name = \"a.example\"", "verify = false"]),
        Check::Grpcs(String::new(), tls)
    );
    let dns = DnsCheck { name: "example.com".to_owned(), record: Record::A, expect: None };
    assert_eq!(check(&["type = \"dns\"", "name = \"example.com.\""]), Check::Dns(dns.clone()));
    let expecting =
        check(&["type = \"dns\"", "name = \"example.com\"", "record = \"AAAA\"", "expect = \"2001:db8::1\""]);
    let expect = Some("2001:db8::1".parse().unwrap());
    assert_eq!(expecting, Check::Dns(DnsCheck { record: Record::Aaaa, expect, ..dns }));
    let udp = check(&["type = \"udp\"", "send = \"hex:0a01FF\"", "expect = \"pong\""]);
    assert_eq!(udp, Check::Udp(UdpCheck { send: vec![10, 1, 255], expect: Some(b"pong".to_vec()) }));
    assert_eq!(check(&["type = \"icmp\""]), Check::Icmp);
}

#[test]
fn a_service_of_several_ports_says_which_is_checked() {
    let range = "\"8000-8999\"";
    let missing = "f.toml:8:1: service \"web\" health: port: missing, and the service has several: \"8000-8999\"; \
                   write the port that its backends are checked at";
    assert_eq!(mistakes(&file(range, &["type = \"tcp\""])), [missing]);
    for right in [&["type = \"tcp\"", "port = 8000"][..], &["type = \"icmp\""], &["type = \"none\""]] {
        assert_eq!(mistakes(&file(range, right)), [""; 0]);
    }
}

#[test]
fn checks_go_to_the_vip_where_backends_have_it() {
    let through = ["type = \"tcp\"", "via = \"datapath\""];
    let by = |forward: &str, lines: &[&str]| {
        file("443", lines)
            .replace("protocol = \"tcp\"", &format!("protocol = \"tcp\"\nforward = \"{forward}\""))
    };
    for forward in ["dsr", "ipip", "gue"] {
        let text = by(forward, &through);
        assert_eq!(mistakes(&text), [""; 0]);
        let config = parse(&text, "f.toml").unwrap();
        assert_eq!(config.services[0].health.as_ref().unwrap().via, Via::Datapath);
    }
    for forward in ["nat", "fullnat"] {
        let refused = format!(
            "f.toml:9:1: service \"web\" health: via: \"datapath\" is a way to the VIP on a backend, and forward = \"{forward}\" \
             sends to the backend's own address; remove it: a check to the backend's address sees what clients see"
        );
        assert_eq!(mistakes(&by(forward, &through)), [refused]);
    }
    let refused = "f.toml:11:1: service \"web\" health: via: checks of type \"icmp\" do not have this key; remove it, or write \
                   type = \"tcp\" or \"http\" or \"https\" or \"grpc\" or \"grpcs\" or \"dns\" or \"udp\"";
    assert_eq!(mistakes(&by("dsr", &["type = \"icmp\"", "via = \"datapath\""])), [refused]);
}

/// Lines, and what is said of them after the file's name: line, column and the message behind the service's name.
const MISTAKES: [(&[&str], &str); 37] = [
    (
        &["rise = 2"],
        "8:1: type: missing; write \"tcp\", \"http\", \"https\", \"grpc\", \"grpcs\", \"dns\", \"udp\", \"icmp\" or \"none\"",
    ),
    (
        &["type = \"tpc\""],
        "9:8: type: \"tpc\" is not known; write \"tcp\", \"http\", \"https\", \"grpc\", \"grpcs\", \"dns\", \"udp\", \"icmp\" or \"none\"",
    ),
    (
        &["type = \"none\"", "rise = 3"],
        "10:1: rise: type = \"none\" checks nothing; remove it, or write another type",
    ),
    (
        &["type = \"tcp\"", "path = \"/\""],
        "10:1: path: checks of type \"tcp\" do not have this key; remove it, or write type = \"http\" or \"https\"",
    ),
    (
        &["type = \"http\"", "ca = \"/ca.pem\""],
        "10:1: ca: checks of type \"http\" do not have this key; remove it, or write type = \"https\" or \"grpcs\"",
    ),
    (
        &["type = \"icmp\"", "port = 80"],
        "10:1: port: checks of type \"icmp\" do not have this key; remove it, or write type = \"tcp\" or \"http\" or \"https\" or \"grpc\" or \"grpcs\" or \"dns\" or \"udp\"",
    ),
    (&["type = \"tcp\"", "intervall = \"2s\""], "10:1: intervall: unknown key; did you mean \"interval\"?"),
    (&["type = \"tcp\"", "interval = 2"], "10:12: interval: 2 has no unit; write \"2s\" or \"2ms\""),
    (
        &["type = \"tcp\"", "interval = \"2 s\""],
        "10:12: interval: \"2 s\" is not a time; write a time from \"100ms\" to \"1h\"",
    ),
    (
        &["type = \"tcp\"", "interval = \"2\""],
        "10:12: interval: \"2\" is not a time; write a time from \"100ms\" to \"1h\"",
    ),
    (
        &["type = \"tcp\"", "interval = \"99ms\""],
        "10:12: interval: \"99ms\" is out of bounds; write a time from \"100ms\" to \"1h\"",
    ),
    (
        &["type = \"tcp\"", "interval = \"61m\""],
        "10:12: interval: \"61m\" is out of bounds; write a time from \"100ms\" to \"1h\"",
    ),
    (
        &["type = \"tcp\"", "timeout = \"3s\""],
        "10:11: timeout: \"3s\" is longer than the interval, 2s; write a shorter time, or a longer interval",
    ),
    (&["type = \"tcp\"", "rise = 0"], "10:8: rise: 0 is out of bounds; write a number from 1 to 255"),
    (&["type = \"tcp\"", "fall = 256"], "10:8: fall: 256 is out of bounds; write a number from 1 to 255"),
    (&["type = \"tcp\"", "port = 0"], "10:8: port: 0 is not a port; write a number from 1 to 65535"),
    (
        &["type = \"tcp\"", "on_down = \"stay\""],
        "10:11: on_down: \"stay\" is not known; write \"move\" or \"keep\"",
    ),
    (&["type = \"tcp\"", "panic_threshold = 40"], "10:19: panic_threshold: 40 has no unit; write \"40%\""),
    (
        &["type = \"tcp\"", "panic_threshold = \"101%\""],
        "10:19: panic_threshold: \"101%\" is not a percentage; write a percentage from \"0%\" to \"100%\"",
    ),
    (
        &["type = \"http\"", "method = \"POST\""],
        "10:10: method: \"POST\" is not known; write \"GET\" or \"HEAD\"",
    ),
    (
        &["type = \"http\"", "method = \"HEAD\"", "body = \"fine\""],
        "11:1: body: an answer to HEAD has no body; remove it, or write method = \"GET\"",
    ),
    (
        &["type = \"http\"", "path = \"live\""],
        "10:8: path: \"live\" does not begin with a slash; write a path such as \"/healthz\", with a query if need be",
    ),
    (
        &["type = \"http\"", "path = \"/a b\""],
        "10:8: path: \"/a b\" has the character ' ', which no request has; write it percent-encoded, as in \"%20\" for a space",
    ),
    (
        &["type = \"http\"", "host = \"a/b\""],
        "10:8: host: \"a/b\" is not a host; write a host name such as \"www.example.com\", with a port if need be",
    ),
    (
        &["type = \"http\"", "status = 99"],
        "10:10: status: 99 is not a status; write a status such as 200, a range such as \"200-399\", or a list of them",
    ),
    (
        &["type = \"http\"", "status = [200, \"399-300\"]"],
        "10:16: status: \"399-300\" ends before it starts; write \"300-399\"",
    ),
    (
        &["type = \"http\"", "status = []"],
        "10:10: status: [] is empty; write a status such as 200, a range such as \"200-399\", or a list of them",
    ),
    (
        &["type = \"https\"", "server_name = \"10.0.0.1\""],
        "10:15: server_name: \"10.0.0.1\" is an address; write a host name; without one, the certificate must be for the backend's address",
    ),
    (
        &["type = \"https\"", "ca = \"ca.pem\""],
        "10:6: ca: \"ca.pem\" is not an absolute path; write the absolute path of a file of certificates in PEM",
    ),
    (
        &["type = \"https\"", "verify = false", "ca = \"/ca.pem\""],
        "11:1: ca: verify = false takes certificates of anybody; remove one of them",
    ),
    (&["type = \"dns\""], "8:1: name: missing; write a domain name such as \"example.com\""),
    (
        &["type = \"dns\"", "name = \"a..b\""],
        "10:8: name: \"a..b\" is not a domain name; write a domain name such as \"example.com\"",
    ),
    (
        &["type = \"dns\"", "name = \"a\"", "expect = \"::1\""],
        "11:10: expect: \"::1\" cannot be in a record of type A; write record = \"AAAA\", or remove it",
    ),
    (&["type = \"udp\""], "8:1: send: missing; write text, or bytes as \"hex:0a01\", at most 1232 of them"),
    (
        &["type = \"udp\"", "send = \"hex:0\""],
        "10:8: send: \"hex:0\" is not in hex, two digits to a byte; write text, or bytes as \"hex:0a01\", at most 1232 of them",
    ),
    (
        &["type = \"udp\"", "send = \"\""],
        "10:8: send: \"\" is empty; write text, or bytes as \"hex:0a01\", at most 1232 of them",
    ),
    (
        &["type = \"grpc\"", "service = \"\""],
        "10:11: service: \"\" is empty; write a name such as \"example.Greeter\"",
    ),
];

#[test]
fn every_mistake_gets_a_message_that_helps() {
    for (lines, expected) in MISTAKES {
        let (place, message) = expected.split_once(": ").unwrap();
        let expected = format!("f.toml:{place}: service \"web\" health: {message}");
        assert_eq!(mistakes(&file("443", lines)), [expected], "{lines:?}");
    }
}
