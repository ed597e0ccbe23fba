//! Devices of the kernel at the other end, which take apart what Lightpath sends.
//!
//! Not every kernel has them: these tests run where one is asked for (`cargo test -- --ignored devices::`) and, by
//! `make test-kernels`, on kernels that have them all.

mod vlan;

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
