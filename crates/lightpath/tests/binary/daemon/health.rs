//! Backends that fail their checks: how soon nobody is sent to them, what becomes of who was, and how they return.

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use lightpath_lab::{Load, serve_http};

use crate::common::{Bed, Family, Follower, Held, Service, eventually, file, serve_lines};

use super::{answers, serve_pages};

/// What a busy machine may add to what the configuration promises.
const SLACK: Duration = Duration::from_secs(4);

const PAGES: SocketAddr = SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), 80);
const LINES: &str = "7000";
const LINES_PORT: u16 = 7000;

/// A web service of all backends, whose `[service.health]` has these lines.
fn web(bed: &Bed, health: &'static str) -> String {
    let mut service = Service::web("web", Family::V4.vip(10), &bed.addresses(Family::V4));
    service.more = health;
    file(bed.interfaces, "", &[service])
}

fn state(bed: &Bed, service: &str, backend: usize) -> String {
    bed.balancer.status().backend(service, backend)["state"].as_str().unwrap().to_owned()
}

/// Makes requests without a pause until none has failed for a while; when the last one failed.
fn last_failure(bed: &Bed, since: Instant) -> Duration {
    const QUIET: Duration = Duration::from_secs(1);
    let to = SocketAddr::new(Family::V4.vip(10), 80);
    let load =
        Load { to, sources: Vec::new(), requests: 10, concurrency: 5, timeout: Duration::from_millis(500) };
    let mut last = Duration::ZERO;
    while since.elapsed() < last + QUIET {
        if load.run(&bed.client.ns).unwrap().iter().any(Result::is_err) {
            last = since.elapsed();
        }
        assert!(last < Duration::from_secs(20), "requests go on failing");
    }
    last
}

#[test]
fn a_killed_backend_gets_no_requests_and_its_return_is_used_in_time() {
    const HEALTH: &str = "health = { type = \"http\", interval = \"200ms\", timeout = \"200ms\", rise = 2, fall = 3, \
                          status = 200, slow_start = \"3s\" }";
    let mut bed = Bed::one_armed(2);
    let mut servers = serve_pages(&bed);
    let vip = Family::V4.vip(10);
    bed.balancer.start_with(&web(&bed, HEALTH));
    assert_eq!(answers(&bed.client.ns, vip, 100).len(), 2, "both are up from the beginning");

    drop(servers.pop());
    let last = last_failure(&bed, Instant::now());
    println!("the last request failed {last:?} after the backend was killed");
    assert!(last < Duration::from_millis(3 * 200 + 200) + SLACK, "{last:?}");
    let status = bed.balancer.status();
    let down = status.backend("web", 1);
    assert_eq!((&down["state"], &down["cause"]), (&"down".into(), &"connection refused".into()), "{down}");
    assert_eq!((&down["share"], &down["downs"]["refused"]), (&0.0.into(), &1.into()), "{down}");
    let text = bed.balancer.ask(&["status"]).stdout;
    assert!(text.contains(": connection refused") && text.contains("down for "), "{text}");
    let logged = bed.balancer.log();
    let lines = logged.lines().filter(|line| line.contains("the backend is down")).collect::<Vec<_>>();
    assert!(lines.len() == 1 && lines[0].contains("connection refused"), "{lines:?}");

    // A restart brings nobody back who was down.
    bed.balancer.stop();
    bed.balancer.start();
    assert_eq!(answers(&bed.client.ns, vip, 100).len(), 1);

    let server = serve_http(&bed.backends[1].ns, PAGES, bed.backends[1].ns.name()).unwrap();
    let returned = Instant::now();
    eventually("the backend is up", || state(&bed, "web", 1) == "up");
    let took = returned.elapsed();
    println!("it was used {took:?} after its return");
    assert!(took < Duration::from_millis(2 * 200 + 200) + SLACK, "{took:?}");
    let share = || bed.balancer.status().backend("web", 1)["share"].as_f64().unwrap();
    let first = share();
    assert!(first < 0.45, "it starts slowly, and not with {first}");
    eventually("it has its full share", || (share() - 0.5).abs() < 0.001);
    let took = returned.elapsed();
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(3 + 2) + SLACK, "{took:?}");
    assert_eq!(answers(&bed.client.ns, vip, 100).len(), 2);
    assert!(server.requests() > 0);
    bed.balancer.stop();
    bed.balancer.detach();
}

/// A service of lines on three backends, whose pages are what is checked, and connections to it.
fn held(bed: &mut Bed, health: &'static str) -> Held {
    for (backend, name) in bed.backends.iter().zip(["one", "two", "three"]) {
        serve_lines(&backend.ns, SocketAddr::from(([0, 0, 0, 0], LINES_PORT)), name);
    }
    let mut service = Service::web("lines", Family::V4.vip(10), &bed.addresses(Family::V4));
    service.port = LINES;
    service.more = health;
    bed.balancer.start_with(&file(bed.interfaces, "", &[service]));
    let held = open(bed, 60);
    assert_eq!(held.all_talk(), 3);
    held
}

fn open(bed: &Bed, count: usize) -> Held {
    Held::open(&bed.client.ns, (Family::V4.vip(10), LINES_PORT), count)
}

#[test]
fn flows_of_a_backend_that_is_down_move_at_once_by_default() {
    let mut bed = Bed::one_armed(3);
    let mut servers = serve_pages(&bed);
    let health = "health = { type = \"http\", port = 80, interval = \"200ms\", timeout = \"200ms\" }";
    let held = held(&mut bed, health);
    drop(servers.remove(0));
    eventually("the backend is down", || state(&bed, "lines", 0) == "down");
    // Whoever has them now knows nothing of them and says so.
    held.only_those_break_of("one");
    let more = open(&bed, 40);
    assert_eq!((more.all_talk(), more.with("one")), (2, 0));

    let _server = serve_http(&bed.backends[0].ns, PAGES, "back").unwrap();
    eventually("the backend is up", || state(&bed, "lines", 0) == "up");
    more.all_talk();
    assert!(open(&bed, 60).with("one") > 0);
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn flows_of_a_backend_that_is_down_may_stay() {
    let mut bed = Bed::one_armed(3);
    let mut servers = serve_pages(&bed);
    let health = "health = { type = \"http\", port = 80, interval = \"200ms\", timeout = \"200ms\", on_down = \"keep\" }";
    let held = held(&mut bed, health);
    drop(servers.remove(0));
    eventually("the backend is down", || state(&bed, "lines", 0) == "down");
    assert_eq!(held.all_talk(), 3);
    assert_eq!(open(&bed, 40).with("one"), 0);
    let _server = serve_http(&bed.backends[0].ns, PAGES, "back").unwrap();
    eventually("the backend is up", || state(&bed, "lines", 0) == "up");
    assert_eq!(held.all_talk(), 3);
    assert!(open(&bed, 60).with("one") > 0);
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn when_too_few_are_up_all_are_used() {
    const HEALTH: &str =
        "health = { type = \"tcp\", interval = \"200ms\", timeout = \"200ms\", panic_threshold = \"50%\" }";
    let mut bed = Bed::one_armed(3);
    let mut servers = serve_pages(&bed);
    bed.balancer.start_with(&web(&bed, HEALTH));
    let share = |backend: usize| bed.balancer.status().backend("web", backend)["share"].as_f64().unwrap();
    let mut follower = Follower::of(&bed.balancer.socket(), "/v1/events", "");
    drop(servers.remove(0));
    eventually("one is down", || state(&bed, "web", 0) == "down");
    assert!(share(0) == 0.0 && share(1) > 0.4);

    drop(servers.remove(0));
    eventually("that is too many", || state(&bed, "web", 0) == "panic" && state(&bed, "web", 1) == "panic");
    let shares = [share(0), share(1), share(2)];
    assert!(shares.iter().all(|share| (share - 1.0 / 3.0).abs() < 0.01), "{shares:?}");
    let began = follower.event("panic-began");
    assert_eq!((&began["service"], &began["severity"]), (&"web".into(), &"error".into()), "{began}");
    let cause = bed.balancer.status().backend("web", 1)["cause"].clone();
    assert_eq!(cause, "used all the same, because too few backends are up: connection refused");

    let _server = serve_http(&bed.backends[1].ns, PAGES, "back").unwrap();
    eventually("enough are up", || state(&bed, "web", 0) == "down" && state(&bed, "web", 1) == "up");
    assert_eq!(follower.event("panic-ended")["service"], "web");
    answers(&bed.client.ns, Family::V4.vip(10), 50);
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_backend_that_joins_is_used_when_it_has_passed_a_check() {
    const HEALTH: &str = "health = { type = \"tcp\", interval = \"200ms\", timeout = \"200ms\" }";
    let mut bed = Bed::one_armed(3);
    let mut servers = serve_pages(&bed);
    drop(servers.pop());
    let whole = web(&bed, HEALTH);
    let mut backends = bed.addresses(Family::V4);
    let mut service = Service::web("web", Family::V4.vip(10), &backends.split_off(1));
    service.more = HEALTH;
    service.backends.pop();
    bed.balancer.start_with(&file(bed.interfaces, "", &[service]));
    assert_eq!(answers(&bed.client.ns, Family::V4.vip(10), 50).len(), 1);

    bed.balancer.configure(&whole);
    let reloaded = bed.balancer.ask(&["reload"]);
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    // The one that is well is used when the reload ends, and the other is not.
    assert_eq!((state(&bed, "web", 0), state(&bed, "web", 2)), ("up".to_owned(), "down".to_owned()));
    assert_eq!(answers(&bed.client.ns, Family::V4.vip(10), 100).len(), 2);

    // A check that cannot be made changes nothing.
    bed.balancer.configure(&whole.replace("\"tcp\", interval", "\"https\", ca = \"/nowhere.pem\", interval"));
    let refused = bed.balancer.ask(&["reload"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("cannot read the authorities in /nowhere.pem"), "{refused:?}");
    thread::sleep(Duration::from_millis(500));
    assert_eq!((state(&bed, "web", 0), state(&bed, "web", 2)), ("up".to_owned(), "down".to_owned()));
    bed.balancer.stop();
    bed.balancer.detach();
}
