//! What the tests share: networks, the balancer, programs in namespaces, and traffic.

mod balancer;
mod bed;
mod browser;
mod config;
mod follower;
mod held;
mod host;
mod object;
mod program;
mod terminal;
mod traffic;
mod tunnel;
mod wire;

use std::thread;
use std::time::{Duration, Instant};

pub(crate) use balancer::{Balancer, LIGHTPATH, Output, Status, number};
pub(crate) use bed::{Bed, Family, isolated};
pub(crate) use browser::Browser;
pub(crate) use config::{Service, TUNNELS, file, is_direct};
pub(crate) use follower::Follower;
pub(crate) use held::{Held, serve_lines};
pub(crate) use host::HostState;
pub(crate) use object::BpfObject;
pub(crate) use program::{Server, finish, ip};
pub(crate) use terminal::Terminal;
pub(crate) use traffic::{Traffic, tcp_resets_sent, tcp_segments_sent};
pub(crate) use tunnel::{Files, Tunnel, balance, is_served, pages_come_from_the_backend, serve_pages};
pub(crate) use wire::{Ip, Tap, Udp};

/// How long anything may take that usually takes milliseconds; machines that run tests are busy, or emulated.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until `holds`, and fails with what `claim` says when it does not come true.
pub(crate) fn eventually(claim: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {claim}");
        thread::sleep(Duration::from_millis(20));
    }
}
