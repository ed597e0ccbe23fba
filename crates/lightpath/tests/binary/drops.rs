//! `lightpath drops`: what was dropped, why, what to do about it, and what is dropped right now, with examples.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lightpath_dataplane::Interface;
use lightpath_lab::{KillOnDrop, http_get, serve_http};
use serde_json::Value;

use crate::common::{Balancer, Bed, Family, PATIENCE, Service, Traffic, eventually, file, number};

/// Whoever asks the service is dropped and told so.
fn ask(bed: &Bed) {
    let to = SocketAddr::new(Family::V4.vip(10), 80);
    http_get(&bed.client.ns, None, to, Duration::from_secs(5)).unwrap_err();
}

/// `drops --follow` in the background, and the lines that it prints.
fn follow(balancer: &Balancer, options: &[&str]) -> (KillOnDrop, Receiver<String>) {
    let mut command = balancer.command(&[&["drops", "--follow"], options].concat());
    let mut following = KillOnDrop(command.stdout(Stdio::piped()).spawn().unwrap());
    let (told, lines) = channel();
    let output = BufReader::new(following.0.stdout.take().unwrap());
    thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
    (following, lines)
}

#[test]
fn drops_are_explained_and_followed() {
    let mut bed = Bed::one_armed(0);
    let service = Service::web("empty", Family::V4.vip(10), &[]);
    bed.balancer.start_with(&file(bed.interfaces, "", &[service]));
    let nothing = bed.balancer.ask(&["drops"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(0), "Nothing dropped.\n"), "{nothing:?}");

    eventually("a packet is dropped", || {
        ask(&bed);
        !bed.balancer.ask(&["drops", "--json"]).json()["drops"].as_array().unwrap().is_empty()
    });
    let dropped = bed.balancer.ask(&["drops", "--json"]).json()["drops"][0].clone();
    assert_eq!(dropped["reason"], "no-backend");
    assert_eq!(dropped["count"], bed.balancer.status().0["drops"]["no-backend"]);
    let text = bed.balancer.ask(&["drops"]).stdout;
    assert!(text.starts_with("no-backend: ") && text.contains("  No backend of the service takes"), "{text}");
    assert!(text.contains("`lightpath status` says of each backend why"), "{text}");
    eventually("the rate is known", || {
        ask(&bed);
        let dropped = bed.balancer.ask(&["drops", "--json"]).json();
        dropped["drops"][0]["per_second"].as_f64().unwrap() > 0.0
    });

    let (mut following, lines) = follow(&bed.balancer, &["--json"]);
    let mut line = None;
    eventually("what is dropped is told", || {
        ask(&bed);
        line = lines.recv_timeout(Duration::from_millis(100)).ok();
        line.is_some()
    });
    let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
    assert_eq!(line["reason"], "no-backend");
    assert!(number(&line["dropped"]) > 0 && number(&line["count"]) >= number(&line["dropped"]), "{line}");
    // While nothing is dropped, nothing is said.
    eventually("nothing is said any more", || lines.recv_timeout(Duration::from_secs(3)).is_err());
    bed.balancer.stop();
    let ended = lines.recv_timeout(PATIENCE);
    assert!(ended.is_ok_and(|line| line.contains("is not running")), "it ends with the daemon, and says so");
    assert_eq!(following.0.wait().unwrap().code(), Some(1));
    bed.balancer.detach();
}

/// A client whose datagrams are dropped, for different reasons, until it is ended.
struct Dropped {
    goes_on: Arc<AtomicBool>,
    /// Where the datagrams of each reason come from.
    from: BTreeMap<&'static str, SocketAddr>,
    sending: JoinHandle<()>,
}

impl Dropped {
    fn start(bed: &Bed) -> Self {
        let socket = |vip: u8, ttl: u32| {
            let make = || UdpSocket::bind(SocketAddr::new(Family::V4.of(bed.client.address), 0)).unwrap();
            let socket = bed.client.ns.run(make).unwrap();
            socket.set_ttl(ttl).unwrap();
            socket.connect(SocketAddr::new(Family::V4.vip(vip), 5000)).unwrap();
            socket
        };
        // The router before the balancer takes one of the TTL.
        let sockets = [("no-backend", socket(11, 64)), ("ttl-expired", socket(12, 2))];
        let from = sockets.iter().map(|(reason, socket)| (*reason, socket.local_addr().unwrap())).collect();
        let goes_on = Arc::new(AtomicBool::new(true));
        let sends = Arc::clone(&goes_on);
        let sending = thread::spawn(move || {
            while sends.load(Ordering::Relaxed) {
                for (_, socket) in &sockets {
                    // The answer to the one before may be an ICMP error.
                    let _ = socket.send(b"for nobody");
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        Self { goes_on, from, sending }
    }

    fn end(self) {
        self.goes_on.store(false, Ordering::Relaxed);
        self.sending.join().unwrap();
    }
}

/// A service of pages, one of datagrams that nobody takes, and one whose backend takes them.
fn services(bed: &Bed) -> Vec<Service> {
    let backends = bed.addresses(Family::V4);
    let datagrams = |name: &str, host: u8, more, backends| Service {
        port: "5000",
        protocol: "udp",
        more,
        ..Service::web(name, Family::V4.vip(host), backends)
    };
    vec![
        Service::web("web", Family::V4.vip(10), &backends),
        datagrams("empty", 11, "when_empty = \"drop\"", &[]),
        datagrams("far", 12, "", &backends),
    ]
}

fn program(bed: &Bed) -> u32 {
    bed.balancer.ns.run(|| Interface::named("eth0").unwrap().xdp.unwrap().id).unwrap()
}

/// The examples of an answer, by reason.
fn examples(answer: &Value) -> BTreeMap<String, Value> {
    let drops = answer["drops"].as_array().unwrap().iter();
    let drops = drops.map(|drop| (drop["reason"].as_str().unwrap().to_owned(), drop["example"].clone()));
    drops.filter(|(_, example)| !example.is_null()).collect()
}

#[test]
fn an_example_of_each_reason_is_shown_and_no_request_fails_for_it() {
    let mut bed = Bed::one_armed(1);
    bed.balancer.start_with(&file(bed.interfaces, "", &services(&bed)));
    let vip = SocketAddr::new(Family::V4.vip(10), 80);
    let _server = serve_http(&bed.backends[0].ns, SocketAddr::from(([0, 0, 0, 0], 80)), "page").unwrap();
    let usual = program(&bed);
    let nothing = bed.balancer.ask(&["drops", "--json"]).json();
    assert_eq!(nothing, serde_json::json!({ "drops": [], "looked_seconds": 0.0, "not_looked": null }));

    let traffic = Traffic::start(&bed.client.ns, vip);
    let dropped = Dropped::start(&bed);
    eventually("both are dropped", || bed.balancer.status().0["drops"].as_object().unwrap().len() == 2);
    let answer = bed.balancer.ask(&["drops", "--json"]).json();
    let found = examples(&answer);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["no-backend", "ttl-expired"], "{answer}");
    assert_eq!(answer["not_looked"], Value::Null);
    assert!(answer["looked_seconds"].as_f64().unwrap() > 0.0, "{answer}");
    for (reason, service, host, ttl) in [("no-backend", "empty", 11, "63"), ("ttl-expired", "far", 12, "1")] {
        let example = &found[reason];
        let (from, to) = (dropped.from[reason], SocketAddr::new(Family::V4.vip(host), 5000));
        assert_eq!(example["summary"], format!("udp {from} to {to}"));
        assert_eq!((&example["interface"], &example["service"]), (&"eth0".into(), &service.into()));
        assert_eq!(example["length"], 14 + 20 + 8 + 10);
        let time = bed.balancer.status().0["time"].as_f64().unwrap() - example["time"].as_f64().unwrap();
        assert!((0.0..60.0).contains(&time), "{example}");
        for (field, value) in [("TTL", ttl), ("IP length", "38"), ("UDP length", "18")] {
            let header = serde_json::json!({ "field": field, "value": value });
            assert!(example["headers"].as_array().unwrap().contains(&header), "no {header} in {example}");
        }
        // The bytes are the packet: the tables say the same of it.
        let explained = bed.balancer.ask(&["explain", "--json", "--hex", example["bytes"].as_str().unwrap()]);
        assert_eq!(explained.code, Some(1), "{explained:?}");
        assert_eq!(explained.json()["reason"], reason);
        assert_eq!(bed.balancer.status().0["drop_examples"][reason]["summary"], example["summary"]);
    }
    let text = bed.balancer.ask(&["drops"]).stdout;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (reason, from) in &dropped.from {
        assert!(text.contains(&format!("{reason}: ")), "{text}");
        assert!(words.contains(&format!("UTC by eth0: udp {from} to ")), "{text}");
    }

    let (following, lines) = follow(&bed.balancer, &["--json"]);
    let mut told: BTreeMap<String, Value> = BTreeMap::new();
    eventually("examples are told while it is followed", || {
        let line: Value = serde_json::from_str(&lines.recv_timeout(PATIENCE).unwrap()).unwrap();
        if !line["example"].is_null() {
            told.insert(line["reason"].as_str().unwrap().to_owned(), line["example"].clone());
        }
        told.len() == 2
    });
    for (reason, example) in &told {
        assert_eq!(example["summary"], found[reason]["summary"]);
        assert!(example["time"].as_f64() > found[reason]["time"].as_f64(), "{example}");
    }
    drop(following);
    let (following, lines) = follow(&bed.balancer, &[]);
    eventually("an example stands below a line", || {
        lines.recv_timeout(PATIENCE).unwrap().trim_start().starts_with("Example: ")
    });
    drop(following);

    dropped.end();
    let later = bed.balancer.ask(&["drops", "--json"]).json();
    assert!(later["looked_seconds"].as_f64().unwrap() >= 1.5, "it looks for what there is none of: {later}");
    assert_eq!(examples(&later).len(), 2, "what was found stays");
    let without = bed.balancer.ask(&["drops", "--json", "--no-examples"]).json();
    assert_eq!(without["looked_seconds"], 0.0);
    assert_eq!(examples(&without), examples(&later));
    eventually("the usual program is back", || program(&bed) == usual);
    assert!(traffic.finish() > 0);
    assert!(!bed.balancer.log().contains("packets are captured"), "a look is no capture");
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_capture_goes_before_a_look_for_examples() {
    let mut bed = Bed::one_armed(1);
    bed.balancer.start_with(&file(bed.interfaces, "", &services(&bed)));
    let usual = program(&bed);
    let dropped = Dropped::start(&bed);
    eventually("both are dropped", || bed.balancer.status().0["drops"].as_object().unwrap().len() == 2);
    dropped.end();

    let mut looking = UnixStream::connect(bed.balancer.socket()).unwrap();
    looking.set_read_timeout(Some(PATIENCE)).unwrap();
    looking
        .write_all(b"POST /v1/drops?seconds=10 HTTP/1.1\r\nHost: lightpath\r\nConnection: close\r\n\r\n")
        .unwrap();
    eventually("it is looked for examples", || program(&bed) != usual);
    let second = bed.balancer.ask(&["drops"]);
    assert!(second.stdout.contains("Not looked for examples: somebody else looks"), "{second:?}");
    let mut command = bed.balancer.command(&["capture", "--write", "/dev/null"]);
    let capture = KillOnDrop(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let mut answer = String::new();
    looking.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("something else needs the place"),
        "{answer}"
    );

    let refused = bed.balancer.ask(&["drops"]);
    assert_eq!(refused.code, Some(0), "{refused:?}");
    assert!(refused.stdout.contains("no-backend: "), "{refused:?}");
    assert!(
        refused.stdout.contains("Not looked for examples: somebody else captures packets"),
        "{refused:?}"
    );
    drop(capture);
    eventually("the usual program is back", || program(&bed) == usual);

    // Whoever looks and goes leaves nothing behind.
    let mut gone = UnixStream::connect(bed.balancer.socket()).unwrap();
    gone.write_all(b"POST /v1/drops?seconds=1 HTTP/1.1\r\nHost: lightpath\r\n\r\n").unwrap();
    eventually("it is looked for examples", || program(&bed) != usual);
    drop(gone);
    eventually("the usual program is back", || program(&bed) == usual);
    bed.balancer.stop();
    bed.balancer.detach();
}
