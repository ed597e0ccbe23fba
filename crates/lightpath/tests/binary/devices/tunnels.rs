//! Tunnels that the kernel of a backend takes apart: ipip, sit and ip6tnl devices, and the ports that FOU listens on for GUE.
//!
//! Links have one MTU, so the clients have to find out what fits a tunnel, too.

use std::process::Command;

use super::{RECEIVED, add_link, packets};
use crate::common::{
    Bed, Family, Files, PATIENCE, Tunnel, balance, finish, ip, is_served, number,
    pages_come_from_the_backend, serve_pages,
};

/// Devices that take packets of any origin out of the tunnels to a backend: name, kind and mode, and the families outside and
/// inside.
const DEVICES: [(&str, &str, Family, &[Family]); 3] = [
    ("4in4", "ipip", Family::V4, &[Family::V4]),
    ("6in4", "sit", Family::V4, &[Family::V6]),
    ("any-in6", "ip6tnl mode any", Family::V6, &Family::BOTH),
];

#[test]
#[ignore = "needs the kernel's tunnel devices: make test-kernels"]
fn ipip_goes_to_the_kernels_own_devices() {
    serves(&mut Bed::one_armed(1), |tunnel| !tunnel.gue);
}

#[test]
#[ignore = "needs the kernel's tunnel devices: make test-kernels"]
fn gue_goes_to_the_kernels_own_ports() {
    let mut bed = Bed::one_armed(1);
    load_module("fou");
    for family in ["-4", "-6"] {
        ip(&bed.backends[0].ns, &format!("{family} fou add port 6080 gue"));
    }
    serves(&mut bed, |tunnel| tunnel.gue);
}

/// Pages and files come and go through the tunnels that are asked for.
fn serves(bed: &mut Bed, wanted: impl Fn(&Tunnel) -> bool) {
    let tunnels: Vec<Tunnel> = Tunnel::all().into_iter().filter(wanted).collect();
    balance(bed, &tunnels);
    let backend = &bed.backends[0];
    let _server = serve_pages(&backend.ns);
    let files = Files::serve(bed, 1);
    assert!(!is_served(bed, tunnels[0].vip), "there is no device yet");

    for (name, kind, outer, _) in DEVICES {
        let local = outer.of(backend.address);
        let any = if outer == Family::V4 { "0.0.0.0" } else { "::" };
        add_link(&backend.ns, name, kind, &format!("type {kind} local {local} remote {any}"));
    }
    for tunnel in &tunnels {
        let before = received(bed, tunnel);
        pages_come_from_the_backend(bed, tunnel);
        files.travel_both_ways(bed, tunnel);
        assert!(received(bed, tunnel) > before, "it came by the device: {}", tunnel.vip);
        let header = if tunnel.outer == Family::V4 { 20 } else { 40 } + if tunnel.gue { 8 } else { 0 };
        let learned = ip(&bed.client.ns, &format!("route get {}", tunnel.vip));
        assert!(learned.contains(&format!("mtu {}", 1500 - header)), "{}: {learned}", tunnel.vip);
    }
    let status = bed.balancer.status().0;
    assert!(number(&status["replies"]["too-big"]) >= tunnels.len() as u64, "{status}");
    assert_eq!(status["replies"]["too-big"], status["drops"]["too-big"], "{status}");
}

/// Packets that have come by the device of a tunnel.
fn received(bed: &Bed, tunnel: &Tunnel) -> u64 {
    let is_it = |(.., outer, inner): &&(_, _, Family, &[Family])| {
        *outer == tunnel.outer && inner.contains(&tunnel.inner())
    };
    let (device, ..) = DEVICES.iter().find(is_it).unwrap();
    packets(&bed.backends[0].ns, device, RECEIVED)
}

/// FOU, which nothing loads by itself.
fn load_module(name: &str) {
    let output = finish(Command::new("modprobe").arg(name), PATIENCE);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "this kernel has no {name}: {said}; make test-kernels runs it on one that has"
    );
}
