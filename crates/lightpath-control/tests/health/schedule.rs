//! When backends are checked, and what becomes of them over time.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use lightpath_control::health::{Cause, FULL, Position, Targets, Ways};

use super::servers::Mute;
use super::{Running, config, is_down, is_up, servers};

const FAST: [&str; 3] = ["type = \"tcp\"", "interval = \"100ms\"", "timeout = \"100ms\""];

/// Listens again where somebody has listened before.
fn listen(address: SocketAddr) -> TcpListener {
    TcpListener::bind(address).unwrap()
}

#[test]
fn a_backend_goes_down_and_comes_back_within_what_the_configuration_promises() {
    let address = servers::closed();
    let listener = listen(address);
    let mut running = Running::of(&FAST, &[address]);
    running.settle();
    assert_eq!(running.position(address), Position::Up { parts: FULL });
    drop(listener);
    // Fall times the interval, and the timeout; and what a busy machine adds.
    let took = running.until(address, is_down);
    assert!(took < Duration::from_millis(400 + 1500), "{took:?}");
    assert_eq!(running.position(address), Position::Down(Cause::Refused));
    let standing = running.standing(address).unwrap();
    assert!(standing.since.unwrap().elapsed().unwrap() < Duration::from_secs(5));
    assert_eq!(standing.downs.iter().collect::<Vec<_>>(), [(&"refused", &1)]);

    let _listener = listen(address);
    let took = running.until(address, is_up);
    assert!(took < Duration::from_millis(200 + 1500), "{took:?}");
}

#[test]
fn a_new_backend_is_down_until_a_check_has_passed_and_an_old_one_is_not() {
    let hour = ["type = \"tcp\"", "interval = \"1h\"", "timeout = \"1h\""];
    let good = servers::tcp(drop);
    // A check of a mute one goes on for an hour.
    let silence = Mute::new();
    let (mute, another) = (silence.backend(1), silence.backend(2));
    let mut running = Running::of(&hour, &[mute]);
    running.runtime.block_on(running.checks.settle(Duration::from_millis(200)));
    assert!(is_up(&running.position(mute)), "it was there before the checks");

    running.checks.watch(Targets::of(&config(&hour, &[mute, another, good]), &Ways::default()).unwrap());
    running.runtime.block_on(running.checks.settle(Duration::from_secs(1)));
    assert!(is_up(&running.position(mute)));
    assert_eq!(running.position(another), Position::Down(Cause::Unchecked));
    assert!(is_up(&running.position(good)), "a check of it has passed");
    running.checks.watch(Targets::of(&config(&hour, &[good]), &Ways::default()).unwrap());
    running.runtime.block_on(running.checks.settle(Duration::from_secs(10)));
    assert_eq!(running.standing(mute), None, "it is checked no more");
}

#[test]
fn backends_that_get_their_first_checks_while_they_run_are_not_new() {
    let silence = Mute::new();
    let mute = silence.backend(1);
    let mut without = config(&["type = \"none\""], &[mute]);
    let mut running = Running::start(&without);
    running.settle();
    assert_eq!(running.standing(mute), None);
    without.services[0].health =
        config(&["type = \"tcp\"", "interval = \"1h\"", "timeout = \"1h\""], &[]).services.remove(0).health;
    running.checks.watch(Targets::of(&without, &Ways::default()).unwrap());
    running.runtime.block_on(running.checks.settle(Duration::from_millis(200)));
    assert!(is_up(&running.position(mute)));
}

#[test]
fn a_reload_brings_no_failed_backend_back() {
    let (dead, good) = (servers::closed(), servers::tcp(drop));
    let mut running = Running::of(&FAST, &[dead]);
    running.settle();
    assert!(is_down(&running.position(dead)));
    for lines in [&FAST[..], &["type = \"http\"", "interval = \"200ms\"", "timeout = \"200ms\""]] {
        running.checks.watch(Targets::of(&config(lines, &[dead, good]), &Ways::default()).unwrap());
        running.settle();
        assert!(is_down(&running.position(dead)), "{lines:?}");
    }
}

#[test]
fn a_share_grows_after_a_return() {
    let address = servers::closed();
    let mut running = Running::of(&[&FAST[..], &["slow_start = \"2s\""]].concat(), &[address]);
    running.settle();
    assert!(is_down(&running.position(address)));
    let _listener = listen(address);
    running.until(address, is_up);
    let begun = Instant::now();
    assert_eq!(running.position(address), Position::Up { parts: 1 });
    let took = running.until(address, |position| *position == Position::Up { parts: FULL });
    assert!(took > Duration::from_secs(1), "it took {took:?} only");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_thousand_mute_backends_delay_no_check_of_another() {
    // The checks of each last as long as the interval.
    let silence = Mute::new();
    let mut backends: Vec<SocketAddr> = (0..1000).map(|number| silence.backend(number)).collect();
    let address = servers::closed();
    let listener = listen(address);
    backends.push(address);
    let lines = ["type = \"tcp\"", "interval = \"500ms\"", "timeout = \"500ms\"", "fall = 2"];
    let mut running = Running::of(&lines, &backends);
    running.settle();
    assert!(is_up(&running.position(address)));
    drop(listener);
    let took = running.until(address, is_down);
    assert!(took < Duration::from_secs(4), "{took:?}");
}
