//! `lightpath detach` undoes everything.

use lightpath_dataplane::Interface;

use crate::common::{Bed, Family, HostState, ip};

use super::{answers, serve_pages, web_file};

#[test]
fn detach_leaves_the_host_as_it_was() {
    let mut bed = Bed::one_armed(3);
    let _servers = serve_pages(&bed);
    let host = bed.balancer.ns.clone();
    // A host that is no router yet, and strict.
    for (key, value) in [
        ("net.ipv4.ip_forward", "0"),
        ("net.ipv6.conf.all.forwarding", "0"),
        ("net.ipv4.conf.eth0.rp_filter", "1"),
        ("net.ipv6.conf.eth0.accept_ra", "1"),
    ] {
        host.sysctl(key, value).unwrap();
    }
    let before = HostState::of(&host);

    bed.balancer.start_with(&web_file(&bed));
    for family in Family::BOTH {
        answers(&bed.client.ns, family.vip(10), 60);
    }
    let running = HostState::of(&host);
    for change in [
        "/proc/sys/net/ipv4/conf/eth0/forwarding = 1",
        "/proc/sys/net/ipv4/conf/eth0/rp_filter = 2",
        "/proc/sys/net/ipv6/conf/eth0/forwarding = 1",
        "/sys/fs/bpf/lightpath/default/program",
        "/sys/fs/bpf/lightpath/default/links/eth0",
    ] {
        assert!(running.has(change) && !before.has(change), "{change}");
    }

    let refused = bed.balancer.ask(&["detach"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(
        refused.stderr,
        "lightpath: the daemon of instance default is running and would attach again; stop it first (SIGTERM)\n"
    );
    running.is_still(&host);
    assert!(ip(&host, "neigh").contains("managed"), "the kernel keeps backends resolved");

    bed.balancer.stop();
    running.is_still(&host);
    let detached = bed.balancer.detach();
    assert_eq!(detached.stdout.lines().next(), Some("detached from eth0"), "{detached:?}");
    before.is_back(&host);
    let neighbours = ip(&host, "neigh");
    assert!(!neighbours.contains("managed"), "{neighbours}");
    assert_eq!(host.run(|| Interface::named("eth0")).unwrap().unwrap().xdp, None);

    let again = bed.balancer.detach();
    assert_eq!(again.stdout, "instance default was not attached\n");
}

#[test]
fn detach_speaks_json() {
    let mut bed = Bed::one_armed(1);
    bed.balancer.start_with(&web_file(&bed));
    bed.balancer.kill();
    let output = bed.balancer.ask(&["detach", "--json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let said = output.json();
    assert_eq!(said["interfaces"], serde_json::json!(["eth0"]));
    assert_eq!(said["failures"], serde_json::json!([]));
    // At least the two VIPs.
    assert!(said["undone"].as_u64() >= Some(2), "{said}");
}
