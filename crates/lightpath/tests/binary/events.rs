//! What changes is told once, with the same fields by the API and in the log.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;

use lightpath_lab::{HttpServer, serve_http};
use serde_json::{Value, json};

use crate::common::{Bed, Family, Follower, Service, eventually, file, number};

const HEALTH: &str = "health = { type = \"tcp\", interval = \"200ms\", timeout = \"200ms\" }";

fn web(bed: &Bed) -> String {
    let mut service = Service::web("web", Family::V4.vip(10), &bed.addresses(Family::V4));
    service.more = HEALTH;
    file(bed.interfaces, "", &[service])
}

fn serve(bed: &Bed) -> Vec<HttpServer> {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 80));
    bed.backends.iter().map(|backend| serve_http(&backend.ns, everywhere, "page").unwrap()).collect()
}

/// The events of a log, as it is written for machines.
fn logged(bed: &Bed) -> Vec<Value> {
    let log = bed.balancer.log();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line.get("event").is_some()).collect()
}

/// The log's line of an event has its fields.
fn is_logged(event: &Value, log: &[Value]) {
    let line =
        log.iter().find(|line| line["id"] == event["id"]).unwrap_or_else(|| panic!("{event} is not logged"));
    for field in
        ["event", "message", "service", "backend", "interface", "cause", "slots", "program", "version"]
    {
        assert_eq!(line.get(field), event.get(field), "{field} of {event} in {line}");
    }
    let changes = event["changes"]
        .as_array()
        .map(|changes| changes.iter().map(|change| change.as_str().unwrap()).collect::<Vec<_>>().join("; "));
    assert_eq!(line.get("changes").and_then(Value::as_str), changes.as_deref(), "{event}");
    let level = match event["severity"].as_str().unwrap() {
        "info" => "INFO",
        "warning" => "WARN",
        _ => "ERROR",
    };
    assert_eq!(line["level"], level, "{event}");
}

#[test]
fn what_changes_is_told_to_whoever_follows_and_in_the_log() {
    let mut bed = Bed::one_armed(2);
    let mut servers = serve(&bed);
    bed.balancer.start_with(&web(&bed));
    let socket = bed.balancer.socket();
    let mut follower = Follower::of(&socket, "/v1/events", "");
    let started = follower.event("started");
    assert_eq!(started["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(started["program"], bed.balancer.status().0["program"]["id"]);

    let [one, two] = [0, 1].map(|index| format!("{}:80", bed.addresses(Family::V4)[index]));
    drop(servers.pop());
    let down = follower.event("backend-down");
    assert_eq!((&down["service"], &down["backend"]), (&json!("web"), &json!(two)), "{down}");
    assert_eq!(
        (&down["cause"], &down["severity"]),
        (&json!("connection refused"), &json!("warning")),
        "{down}"
    );
    drop(servers.pop());
    assert_eq!(follower.event("service-empty")["severity"], "error");
    let servers = serve(&bed);
    // One comes back before the other, and which of these is told first does not matter.
    let mut expected = vec!["backend-up", "backend-up", "service-served"];
    while !expected.is_empty() {
        let event = follower
            .waits_for(&format!("{expected:?}"), |event| expected.iter().any(|kind| event["event"] == *kind));
        let place = expected.iter().position(|kind| event["event"] == *kind).unwrap();
        if expected.remove(place) == "backend-up" {
            assert!(event["backend"] == one.as_str() || event["backend"] == two.as_str(), "{event}");
        }
    }

    assert_eq!(bed.balancer.ask(&["backend", "drain", "web", &one]).code, Some(0));
    let changed = follower.event("changed");
    assert_eq!(changed["changes"], json!([format!("service web: backend {one} weight 100 -> 0, it drains")]));
    assert_eq!(follower.event("drain-began")["backend"], one.as_str());
    assert_eq!(bed.balancer.ask(&["backend", "enable", "web", &one]).code, Some(0));
    let ended = follower.event("drain-ended");
    assert_eq!((&ended["backend"], &ended["cause"]), (&json!(one), &json!("it takes new flows again")));

    let right = web(&bed);
    bed.balancer.configure("[node]\n");
    assert_eq!(bed.balancer.ask(&["reload"]).code, Some(1));
    let refused = follower.event("reload-refused");
    assert!(refused["cause"].as_str().unwrap().contains("interfaces"), "{refused}");
    bed.balancer.configure(&right.replace("timeout = \"200ms\"", "timeout = \"100ms\""));
    assert_eq!(bed.balancer.ask(&["reload"]).code, Some(0));
    let reloaded = follower.event("reloaded");
    assert_eq!(reloaded["changes"].as_array().map(Vec::len), Some(1), "{reloaded}");

    let moves = |event: &Value| event["event"] == "move-began" && number(&event["slots"]) > 0;
    follower.rest();
    assert!(follower.seen.iter().any(moves), "a drain moves slots: {:#?}", follower.seen);
    let ids: Vec<u64> = follower.rest().iter().map(|event| number(&event["id"])).collect();
    assert!(ids.is_sorted_by(|one, other| one < other), "{ids:?}");
    let log = logged(&bed);
    follower.seen.iter().for_each(|event| is_logged(event, &log));
    assert_eq!(follower.seen.len(), log.len(), "nothing is logged that is not told: {log:#?}");

    // Whoever comes back misses nothing and sees nothing twice, over a restart too.
    let known = follower.seen[2]["id"].clone();
    let mut back = Follower::of(&socket, "/v1/events", &format!("Last-Event-ID: {known}\r\n"));
    assert_eq!(back.rest(), &follower.seen[3..]);
    let mut back = Follower::of(&socket, &format!("/v1/events?after={known}"), "");
    assert_eq!(back.rest(), &follower.seen[3..]);
    let last = ids.last().unwrap();
    bed.balancer.stop();
    bed.balancer.start();
    let mut after = Follower::of(&socket, "/v1/events", &format!("Last-Event-ID: {last}\r\n"));
    assert!(number(&after.event("started")["id"]) > *last);
    assert_eq!(after.seen.len(), 1, "{:?}", after.seen);
    assert!(logged(&bed).iter().any(|line| line["event"] == "stopped"));
    bed.balancer.stop();
    bed.balancer.detach();
    drop(servers);
}

#[test]
fn the_journal_gets_words_with_their_priorities() {
    let mut bed = Bed::one_armed(2);
    let mut servers = serve(&bed);
    bed.balancer.configure(&web(&bed));
    // To the daemon its log is the journal, by what systemd would tell of it.
    let path = bed.balancer.log_file();
    fs::write(&path, "").unwrap();
    let journal = fs::metadata(&path).unwrap();
    bed.balancer.start_by(|command| {
        command.env("JOURNAL_STREAM", format!("{}:{}", journal.dev(), journal.ino()));
    });
    drop(servers.pop());
    eventually("it is told", || bed.balancer.log().contains("<4>the backend is down"));
    bed.balancer.configure("[node]\n");
    assert_eq!(bed.balancer.ask(&["reload"]).code, Some(1));
    bed.balancer.stop();
    let log = bed.balancer.log();
    assert!(log.lines().all(|line| line.starts_with('<') && line.as_bytes()[2] == b'>'), "{log}");
    let balancing = log.lines().find(|line| line.contains("balancing")).unwrap();
    assert!(balancing.starts_with("<6>balancing id="), "{balancing}");
    assert!(balancing.contains(" event=\"started\""), "{balancing}");
    assert!(log.contains("cause=\"connection refused\""), "{log}");
    bed.balancer.detach();
}
