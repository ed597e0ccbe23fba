//! A balancer's tunnels, and a backend that unwraps them and answers the clients itself.

use lightpath_lab::topology::BRIDGE;
use serde_json::json;

use super::Decap;
use crate::common::{
    Balancer, Bed, Family, Files, HostState, Tunnel, balance, eventually, ip, is_served, number,
    pages_come_from_the_backend, serve_pages,
};

/// What the tunnels' headers take at most, above an ordinary MTU.
const MTU: u32 = 1500 + 48;

/// Has the links between balancer and backend take an ordinary packet with its outer headers.
fn widen(bed: &Bed) {
    for host in [&bed.balancer.ns, &bed.backends[0].ns] {
        host.set_mtu("eth0", MTU).unwrap();
    }
    for port in ["to-balancer", "to-backend1", BRIDGE] {
        bed.switch.set_mtu(port, MTU).unwrap();
    }
}

#[test]
fn clients_are_served_through_every_tunnel() {
    let mut bed = Bed::one_armed(1);
    let tunnels = Tunnel::all();
    widen(&bed);
    balance(&mut bed, &tunnels);
    let backend = &bed.backends[0];
    let _server = serve_pages(&backend.ns);
    let files = Files::serve(&bed, 10);
    let mut decap = Decap::new(&backend.ns, &bed.scratch);
    assert!(!is_served(&bed, tunnels[0].vip), "the kernel of a backend has no tunnels here");

    let (before, before_it) = (HostState::of(&backend.ns), sent(&bed.balancer));
    decap.start(&["--from", "10.0.0.2", "--from", "2001:db8:0:1::2"]);
    for tunnel in &tunnels {
        pages_come_from_the_backend(&bed, tunnel);
        files.travel_both_ways(&bed, tunnel);
    }
    let sent = sent(&bed.balancer) - before_it;
    let report = decap.stop();
    let unwrapped: u64 =
        ["ipip", "gue"].iter().map(|format| number(&report["unwrapped"][format]["packets"])).sum();
    // A busy virtual link may lose a few on the way, which TCP sends again.
    assert!(unwrapped <= sent && unwrapped > sent - sent / 100, "{sent} packets sent, {report}");
    assert!(number(&report["unwrapped"]["gue"]["packets"]) > 0, "{report}");
    assert_eq!((&report["drops"], &report["left"]), (&json!({}), &json!(0)), "{report}");
    before.is_back(&backend.ns);
    assert!(!is_served(&bed, tunnels[0].vip));
}

/// Links of one MTU: with the outer headers a client's full packets are too big, which the balancer tells it.
#[test]
fn a_client_finds_the_smaller_packet_that_fits_a_tunnel() {
    let mut bed = Bed::one_armed(1);
    let tunnels = Tunnel::all();
    balance(&mut bed, &tunnels);
    let backend = &bed.backends[0];
    let files = Files::serve(&bed, 10);
    let mut decap = Decap::new(&backend.ns, &bed.scratch);
    decap.start(&["--from", "10.0.0.2", "--from", "2001:db8:0:1::2"]);
    for tunnel @ Tunnel { vip, outer, gue } in &tunnels {
        files.travel_both_ways(&bed, tunnel);
        let header = if *outer == Family::V4 { 20 } else { 40 } + if *gue { 8 } else { 0 };
        let learned = ip(&bed.client.ns, &format!("route get {vip}"));
        assert!(learned.contains(&format!("mtu {}", 1500 - header)), "{vip}: {learned}");
    }
    let status = bed.balancer.status().0;
    assert!(number(&status["replies"]["too-big"]) >= tunnels.len() as u64, "{status}");
    assert_eq!(status["replies"]["too-big"], status["drops"]["too-big"], "{status}");
}

/// Packets that the balancer has sent.
fn sent(balancer: &Balancer) -> u64 {
    let status = balancer.status();
    status.0["services"].as_array().unwrap().iter().map(|service| number(&service["packets"])).sum()
}

/// CVE-2020-10136, CVE-2024-7596: a balancer that is not listed reaches nothing.
#[test]
fn tunnels_from_elsewhere_are_not_unwrapped() {
    let mut bed = Bed::one_armed(1);
    let tunnels = Tunnel::all();
    balance(&mut bed, &tunnels);
    let backend = &bed.backends[0];
    let _server = serve_pages(&backend.ns);
    let mut decap = Decap::new(&backend.ns, &bed.scratch);
    for strict in [false, true] {
        let options: &[&str] = if strict { &["--strict"] } else { &[] };
        decap.start(&[&["--from", "10.0.0.3", "--from", "2001:db8:0:2::/64"], options].concat());
        for tunnel in &tunnels {
            assert!(!is_served(&bed, tunnel.vip), "{}", tunnel.vip);
        }
        eventually("the source is named", || decap.log().contains("add them to --from"));
        let report = decap.stop();
        assert_eq!(number(&report["unwrapped"]["ipip"]["packets"]), 0, "{report}");
        assert_eq!(number(&report["unwrapped"]["gue"]["packets"]), 0, "{report}");
        assert_eq!(number(&report["left"]) >= 8, !strict, "{report}");
        assert_eq!(report["drops"].get("unlisted-source").is_some(), strict, "{report}");
    }
}

#[test]
fn a_vip_that_the_backend_lacks_is_named_and_followed_once_it_is_there() {
    let mut bed = Bed::one_armed(1);
    let tunnels = Tunnel::all();
    balance(&mut bed, &tunnels);
    let backend = &bed.backends[0].ns;
    let _server = serve_pages(backend);
    let mut decap = Decap::new(backend, &bed.scratch);
    let vip = tunnels[0].vip;
    ip(backend, &format!("address del {vip}/32 dev lo"));
    decap.start(&["--from", "10.0.0.2", "--from", "2001:db8:0:1::2"]);
    assert!(!is_served(&bed, vip));
    eventually("the missing VIP is said", || decap.log().contains("ip address add VIP dev lo"));
    ip(backend, &format!("address add {vip}/32 dev lo"));
    eventually("the VIP is served", || is_served(&bed, vip));
    let report = decap.stop();
    assert!(number(&report["drops"]["not-local"]) > 0, "{report}");
}
