//! `lightpath drops`: what was dropped, why, what to do about it, and what is dropped right now.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use lightpath_lab::{KillOnDrop, http_get};
use serde_json::Value;

use crate::common::{Bed, Family, PATIENCE, Service, eventually, file, number};

/// Whoever asks the service is dropped and told so.
fn ask(bed: &Bed) {
    let to = SocketAddr::new(Family::V4.vip(10), 80);
    http_get(&bed.client.ns, None, to, Duration::from_secs(5)).unwrap_err();
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

    let mut command = bed.balancer.command(&["drops", "--follow", "--json"]);
    let mut following = KillOnDrop(command.stdout(Stdio::piped()).spawn().unwrap());
    let (told, lines) = channel();
    let output = BufReader::new(following.0.stdout.take().unwrap());
    thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
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
    thread::sleep(Duration::from_secs(3));
    while lines.try_recv().is_ok() {}
    assert!(lines.recv_timeout(Duration::from_secs(2)).is_err());
    bed.balancer.stop();
    let ended = lines.recv_timeout(PATIENCE);
    assert!(ended.is_ok_and(|line| line.contains("is not running")), "it ends with the daemon, and says so");
    assert_eq!(following.0.wait().unwrap().code(), Some(1));
    bed.balancer.detach();
}
