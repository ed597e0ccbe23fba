//! Devices of the kernel at the other end, which take apart what Lightpath sends.
//!
//! Not every kernel has them: these tests run where one is asked for (`cargo test -- --ignored devices::`) and, by
//! `make test-kernels`, on kernels that have them all.

mod tunnels;
mod vlan;

use std::fs;

use lightpath_lab::Namespace;

use crate::common::{PATIENCE, finish};

/// Adds a link by `ip link add`, given its name, its kind and the rest of the line, and sets it up.
fn add_link(host: &Namespace, name: &str, kind: &str, rest: &str) {
    let mut ip = host.command("ip");
    ip.args(["link", "add", "name", name, "up"]).args(rest.split_whitespace());
    let output = finish(&mut ip, PATIENCE);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !said.contains("Unknown device type"),
        "this kernel has no devices of type {kind}, which the test needs; make test-kernels runs it on one that has"
    );
    assert!(output.status.success(), "{ip:?}: {said}");
}

/// Where /proc/net/dev has a link's packets, counted from its name on.
const RECEIVED: usize = 1;
const SENT: usize = 9;

/// How many packets have come or gone by a link.
fn packets(host: &Namespace, link: &str, column: usize) -> u64 {
    let links = host.run(|| fs::read_to_string("/proc/thread-self/net/dev")).unwrap().unwrap();
    let counters =
        links.lines().find_map(|line| line.trim_start().strip_prefix(link)?.strip_prefix(':')).unwrap();
    counters.split_whitespace().nth(column).unwrap().parse().unwrap()
}
