//! `lightpath doctor`: quiet on a healthy host; each breakage is found with what mends it, and mending it ends the finding.

use std::fs;
use std::path::Path;
use std::time::Duration;

use lightpath_dataplane::attach_pass;
use lightpath_lab::Offload;
use serde_json::Value;

use crate::common::{
    Bed, Family, HostState, LIGHTPATH, PATIENCE, Service, eventually, file, finish, ip, serve_pages,
};

/// What the doctor says.
struct Diagnosis {
    code: Option<i32>,
    json: Value,
}

impl Diagnosis {
    fn of(bed: &Bed, more: &[&str]) -> Self {
        let config = bed.balancer.config();
        let mut arguments = vec!["doctor", "--json", "--config", config.to_str().unwrap()];
        arguments.extend(more);
        let output = bed.balancer.ask(&arguments);
        assert!(output.stderr.is_empty(), "{output:?}");
        Self { code: output.code, json: output.json() }
    }

    /// The findings of a check that are not just fine.
    fn complaints(&self, check: &str) -> Vec<&Value> {
        let findings = self.json["findings"].as_array().unwrap().iter();
        findings.filter(|finding| finding["check"] == check && finding["severity"] != "ok").collect()
    }

    /// The one complaint of a check, of this severity, whose words hold all of `words`.
    #[track_caller]
    fn complains(&self, check: &str, severity: &str, words: &[&str]) -> &Value {
        let complaints = self.complaints(check);
        let [found] = complaints.as_slice() else { panic!("one complaint of {check}: {complaints:#?}") };
        assert_eq!(found["severity"], severity, "{found:#}");
        assert!(!found["why"].as_str().unwrap().is_empty(), "{found:#}");
        let said = found.to_string();
        for word in words {
            assert!(said.contains(word), "{word}: {found:#}");
        }
        found
    }

    #[track_caller]
    fn is_well(&self, check: &str) {
        assert!(self.complaints(check).is_empty(), "{:#?}", self.complaints(check));
    }
}

/// Runs the command of a finding on the balancer.
fn mend(bed: &Bed, finding: &Value) {
    let command = finding["mend"].as_str().unwrap();
    let mut shell = bed.balancer.ns.command("sh");
    let output = finish(
        shell.args(["-c", &format!("PATH=$PATH:/sbin:/usr/sbin; {command}")]),
        Duration::from_secs(10),
    );
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// One HTTP service, forwarded in this way.
fn web(bed: &Bed, forward: &'static str) -> Service {
    Service { forward, ..Service::web("web", Family::V4.vip(10), &bed.addresses(Family::V4)) }
}

/// Ways that need no daemon to be looked at.
fn configured(backends: u8, forward: &'static str) -> Bed {
    let bed = Bed::one_armed(backends);
    bed.balancer.configure(&file(bed.interfaces, "", &[web(&bed, forward)]));
    bed
}

#[test]
fn a_healthy_host_is_ready_with_and_without_a_daemon() {
    let mut bed = Bed::one_armed(2);
    let both = Family::BOTH
        .map(|family| Service::web(&format!("web{family:?}"), family.vip(10), &bed.addresses(family)));
    bed.balancer.configure(&file(bed.interfaces, "", &both));
    let before = HostState::of(&bed.balancer.ns);
    let check = |bed: &Bed| {
        let diagnosis = Diagnosis::of(bed, &[]);
        assert_eq!(diagnosis.code, Some(0), "{:#}", diagnosis.json);
        for name in [
            "configuration",
            "kernel",
            "program",
            "interfaces",
            "driver",
            "offloads",
            "next-hops",
            "mtu",
            "forwarding",
            "rp-filter",
            "arp",
            "vips",
            "ports",
            "limits",
            "leftovers",
        ] {
            diagnosis.is_well(name);
        }
        diagnosis.complains("hash-seed", "hint", &["openssl rand"]);
    };
    check(&bed);
    before.is_still(&bed.balancer.ns);
    bed.balancer.start();
    let before = HostState::of(&bed.balancer.ns);
    check(&bed);
    before.is_still(&bed.balancer.ns);

    let config = bed.balancer.config();
    let words = bed.balancer.ask(&["doctor", "--config", config.to_str().unwrap()]);
    assert_eq!(words.code, Some(0), "{words:?}");
    assert_eq!(words.stdout.lines().last(), Some("this host is ready"), "{words:?}");
    assert!(words.stdout.contains("eth0: XDP runs in its driver"), "{words:?}");
}

#[test]
fn settings_that_somebody_changed_are_found_and_fixed() {
    let mut bed = Bed::one_armed(1);
    let both = Family::BOTH
        .map(|family| Service::web(&format!("web{family:?}"), family.vip(10), &bed.addresses(family)));
    bed.balancer.start_with(&file(bed.interfaces, "", &both));
    let rows = [
        ("rp-filter", "net.ipv4.conf.eth0.rp_filter", "1", "2"),
        ("forwarding", "net.ipv4.conf.eth0.forwarding", "0", "1"),
        ("forwarding", "net.ipv4.conf.eth0.accept_local", "0", "1"),
        ("forwarding", "net.ipv6.conf.eth0.forwarding", "0", "1"),
    ];
    for (check, key, broken, right) in rows {
        for by_hand in [false, true] {
            bed.balancer.ns.sysctl(key, broken).unwrap();
            let diagnosis = Diagnosis::of(&bed, &[]);
            assert_eq!(diagnosis.code, Some(1), "{key}: {:#}", diagnosis.json);
            let found = diagnosis.complains(check, "error", &[&format!("sysctl -w {key}={right}")]);
            assert_eq!(found["fixable"], true, "{found:#}");
            if by_hand {
                mend(&bed, found);
                Diagnosis::of(&bed, &[]).is_well(check);
            } else {
                let fixed = Diagnosis::of(&bed, &["--fix"]);
                assert_eq!(fixed.code, Some(0), "{:#}", fixed.json);
                assert_eq!(fixed.json["done"][0]["what"], format!("sysctl -w {key}={right}"));
                fixed.is_well(check);
            }
        }
    }
}

#[test]
fn backends_that_cannot_be_reached_are_named_with_the_reason() {
    let bed = Bed::one_armed(1);
    let reachable = bed.addresses(Family::V4)[0];
    let balancer = &bed.balancer.ns;
    ip(balancer, "route del default");
    let with = |other: &str| {
        let web = Service::web("web", Family::V4.vip(10), &[reachable, other.parse().unwrap()]);
        bed.balancer.configure(&file(bed.interfaces, "", &[web]));
    };

    with("172.16.7.7");
    let diagnosis = Diagnosis::of(&bed, &[]);
    assert_eq!(diagnosis.code, Some(0), "the other backend has its share: {:#}", diagnosis.json);
    let found = diagnosis.complains("next-hops", "warning", &["172.16.7.7", "no route"]);
    assert_eq!(found["mend"], "ip route add 172.16.7.7 via GATEWAY");
    ip(balancer, "route add 172.16.7.7 via 10.0.0.1");
    Diagnosis::of(&bed, &[]).is_well("next-hops");

    with("10.0.0.99");
    let diagnosis = Diagnosis::of(&bed, &[]);
    diagnosis.complains(
        "next-hops",
        "warning",
        &["no answer from 10.0.0.99 on eth0", "lightpath backend remove web 10.0.0.99"],
    );
    ip(&bed.backends[0].ns, "addr add 10.0.0.99/24 dev eth0");
    Diagnosis::of(&bed, &[]).is_well("next-hops");

    ip(balancer, "link set dev eth0 down");
    let diagnosis = Diagnosis::of(&bed, &[]);
    assert_eq!(diagnosis.code, Some(1), "no backend is left: {:#}", diagnosis.json);
    assert_eq!(diagnosis.complaints("next-hops").len(), 2, "{:#}", diagnosis.json);
}

#[test]
fn a_tunnel_without_room_is_said_with_the_mtu_that_it_needs() {
    let bed = configured(1, "ipip");
    let diagnosis = Diagnosis::of(&bed, &[]);
    diagnosis.complains("vips", "error", &["take ipip tunnels from this host", "lightpath decap"]);
    // Senders are told, so nothing is lost.
    let words = ["a packet of 1480 bytes fits", "advmss 1440", "ip link set dev eth0 mtu 1520"];
    diagnosis.complains("mtu", "warning", &words);
    ip(&bed.balancer.ns, "link set dev eth0 mtu 1520");
    Diagnosis::of(&bed, &[]).is_well("mtu");

    bed.balancer.configure(&file(bed.interfaces, "", &[web(&bed, "gue")]));
    Diagnosis::of(&bed, &[]).complains("mtu", "warning", &["a packet of 1492 bytes", "mtu 1528"]);
    ip(&bed.balancer.ns, "link set dev eth0 mtu 600");
    let diagnosis = Diagnosis::of(&bed, &[]);
    assert_eq!(diagnosis.code, Some(1), "{:#}", diagnosis.json);
    diagnosis.complains("mtu", "error", &["a packet of 572 bytes"]);
}

#[test]
fn a_backend_that_answers_arp_for_a_vip_is_found() {
    let bed = configured(2, "dsr");
    bed.accept_vip(Family::V4.vip(10));
    let diagnosis = Diagnosis::of(&bed, &[]);
    assert_eq!(diagnosis.code, Some(0), "{:#}", diagnosis.json);
    diagnosis.is_well("arp");

    let thief = &bed.backends[1].ns;
    thief.sysctl("net.ipv4.conf.all.arp_ignore", "0").unwrap();
    let diagnosis = Diagnosis::of(&bed, &[]);
    assert_eq!(diagnosis.code, Some(1), "{:#}", diagnosis.json);
    let words = ["backend 10.0.0.12 answers ARP", "VIP 203.0.113.10", "net.ipv4.conf.all.arp_ignore=1"];
    diagnosis.complains("arp", "error", &words);
    thief.sysctl("net.ipv4.conf.all.arp_ignore", "1").unwrap();
    Diagnosis::of(&bed, &[]).is_well("arp");
}

#[test]
fn a_foreign_program_is_found_until_it_is_off() {
    let bed = configured(1, "nat");
    let foreign = bed.balancer.ns.run(|| attach_pass("eth0")).unwrap().unwrap();
    let diagnosis = Diagnosis::of(&bed, &[]);
    assert_eq!(diagnosis.code, Some(1), "{:#}", diagnosis.json);
    let words = ["eth0", "lightpath_pass", "ip link set dev eth0 xdp off"];
    let found = diagnosis.complains("interfaces", "error", &words);
    assert_eq!(found["fixable"], false, "it is somebody else's: {found:#}");
    drop(foreign);
    eventually("it is off", || Diagnosis::of(&bed, &[]).complaints("interfaces").is_empty());
}

#[test]
fn merging_before_generic_xdp_is_found() {
    let bed = Bed::one_armed(1);
    bed.balancer.configure(&file(bed.interfaces, "xdp_mode = \"generic\"", &[web(&bed, "nat")]));
    bed.balancer.ns.set_offload("eth0", Offload::GenericReceive, true).unwrap();
    let diagnosis = Diagnosis::of(&bed, &[]);
    mend(&bed, diagnosis.complains("offloads", "warning", &["ethtool -K eth0 gro off"]));
    Diagnosis::of(&bed, &[]).is_well("offloads");
    diagnosis.complains("driver", "hint", &["xdp_mode = \\\"auto\\\""]);

    bed.balancer.ns.add_bridge("br0").unwrap();
    bed.balancer.configure(&file(&["eth0", "br0"], "xdp_mode = \"native\"", &[web(&bed, "nat")]));
    let diagnosis = Diagnosis::of(&bed, &[]);
    assert_eq!(diagnosis.code, Some(1), "{:#}", diagnosis.json);
    diagnosis.complains("driver", "error", &["br0", "its driver cannot run XDP"]);
}

#[test]
fn a_broken_configuration_is_found_and_nothing_else_is_made_up() {
    let bed = configured(1, "nat");
    let right = fs::read_to_string(bed.balancer.config()).unwrap();
    bed.balancer.configure(&right.replace("port = 80", "port = 0"));
    let diagnosis = Diagnosis::of(&bed, &[]);
    assert_eq!(diagnosis.code, Some(1), "{:#}", diagnosis.json);
    diagnosis.complains("configuration", "error", &["port", "lightpath check -c"]);
    assert_eq!(diagnosis.complaints("next-hops").len(), 0);
    bed.balancer.configure(&right);
    Diagnosis::of(&bed, &[]).is_well("configuration");

    fs::remove_file(bed.balancer.config()).unwrap();
    Diagnosis::of(&bed, &[]).complains("configuration", "error", &["cannot read the configuration file"]);
}

#[test]
fn what_a_crash_leaves_is_found_and_removed() {
    let mut bed = configured(1, "nat");
    bed.balancer.start();
    Diagnosis::of(&bed, &[]).is_well("leftovers");
    bed.balancer.kill();
    let diagnosis = Diagnosis::of(&bed, &[]);
    assert_eq!(diagnosis.code, Some(0), "packets go on: {:#}", diagnosis.json);
    diagnosis.complains("leftovers", "warning", &["balances on eth0 without a daemon", "lightpath run -c"]);

    // As if a start had been cut short, and an interface had gone.
    let pins = Path::new("/sys/fs/bpf/lightpath/default");
    fs::create_dir(pins.join("maps_next")).unwrap();
    ip(&bed.balancer.ns, "link set dev eth0 down");
    ip(&bed.balancer.ns, "link set dev eth0 name gone");
    let found = Diagnosis::of(&bed, &[]);
    let complaints = found.complaints("leftovers");
    let said = format!("{complaints:#?}");
    for word in ["maps_next", "links/eth0", "203.0.113.10 on eth0", "net/ipv4/conf/eth0/accept_local"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let fixed = Diagnosis::of(&bed, &["--fix"]);
    assert!(!pins.join("maps_next").exists() && !pins.join("links/eth0").exists());
    let ledger = fs::read_to_string(bed.scratch.join("state/default/host.json")).unwrap();
    assert!(!ledger.contains("eth0"), "{ledger}");
    // With its last link the data plane is a leftover itself.
    assert_eq!(fixed.json["done"].as_array().unwrap().len(), 3, "{:#}", fixed.json);
    fixed.complains("leftovers", "warning", &["pins without a link"]);
    Diagnosis::of(&bed, &["--fix"]).is_well("leftovers");
    assert!(!pins.exists());
}

#[test]
fn a_bpf_file_system_that_is_not_mounted_is_mounted() {
    let bed = configured(1, "nat");
    // In a mount namespace of the shell's own. The file is below what is unmounted, so it is kept open.
    let doctor =
        format!("{LIGHTPATH} doctor --json -c /dev/fd/3 --state-dir /nonexistent --run-dir /nonexistent");
    let config = bed.balancer.config();
    let script = format!("exec 3<{}; umount -l /sys/fs/bpf; {doctor}; {doctor} --fix", config.display());
    let mut shell = bed.balancer.ns.command("unshare");
    shell.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    let output = finish(&mut shell, PATIENCE);
    let said = String::from_utf8(output.stdout).unwrap();
    let said: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [before, after] = said.as_slice() else {
        panic!("{said:#?} {}", String::from_utf8_lossy(&output.stderr))
    };
    let before = Diagnosis { code: None, json: before.clone() };
    before.complains("kernel", "error", &["mount -t bpf bpf /sys/fs/bpf"]);
    let after = Diagnosis { code: None, json: after.clone() };
    after.is_well("kernel");
    after.is_well("program");
}

#[test]
fn a_backend_without_the_vip_is_found_with_and_without_a_daemon() {
    let mut bed = Bed::one_armed(2);
    let servers: Vec<_> = bed.backends.iter().map(|backend| serve_pages(&backend.ns)).collect();
    let both = Family::BOTH.map(|family| Service {
        forward: "dsr",
        ..Service::web(&format!("web{family:?}"), family.vip(10), &bed.addresses(family))
    });
    let names = Service {
        forward: "ipip",
        protocol: "udp",
        port: "53",
        ..Service::web("names", Family::V4.vip(53), &bed.addresses(Family::V4)[..1])
    };
    bed.balancer.configure(&file(bed.interfaces, "", &both));
    let before = HostState::of(&bed.balancer.ns);
    bed.accept_vip(Family::V4.vip(10));
    bed.backends[0].accept_vip(Family::V6.vip(10)).unwrap();
    for daemon in [false, true] {
        if daemon {
            bed.balancer.start();
        }
        let diagnosis = Diagnosis::of(&bed, &[]);
        assert_eq!(diagnosis.code, Some(1), "{:#}", diagnosis.json);
        let words = [
            "service webV6, backend 2001:db8:0:1::12",
            "does the backend have the VIP 2001:db8:0:f::10 on an interface?",
            "ip address add 2001:db8:0:f::10/128 dev lo",
        ];
        diagnosis.complains("vips", "error", &words);
        assert!(!ip(&bed.balancer.ns, "-o link").contains("lp-"), "it has left nothing");
        if !daemon {
            before.is_still(&bed.balancer.ns);
        }
    }
    // Without a server the VIP is there all the same.
    bed.backends[1].accept_vip(Family::V6.vip(10)).unwrap();
    drop(servers);
    Diagnosis::of(&bed, &[]).is_well("vips");

    bed.balancer.configure(&file(bed.interfaces, "", &[names]));
    Diagnosis::of(&bed, &[]).complains("vips", "hint", &["service names", "via = "]);
}
