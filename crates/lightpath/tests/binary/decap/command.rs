//! What the command refuses, and what it leaves behind.

use std::process::Command;

use lightpath_dataplane::attach_pass;
use lightpath_lab::Namespace;
use lightpath_lab::topology::OneArmed;
use nix::sys::signal::Signal;

use super::Decap;
use crate::common::{HostState, LIGHTPATH, Output, eventually, ip, isolated};

#[test]
fn a_source_that_is_no_prefix_is_status_2() {
    let rows = [
        ("10.0.0.1/24", "write 10.0.0.0/24 for the network, or 10.0.0.1 for the address"),
        ("10.0.0.0/64", "write an address or a prefix, as 10.0.0.2 or 10.7.0.0/16"),
        ("balancer", "write an address or a prefix"),
        ("2001:db8::1/64", "write 2001:db8::/64 for the network"),
        ("::ffff:10.0.0.1", "write ::ffff:10.0.0.1 as the IPv4 address that it is"),
        ("0.0.0.0/0", "that is everybody"),
        ("::/0", "that is everybody"),
    ];
    for (from, message) in rows {
        let output = Output::of(Command::new(LIGHTPATH).args(["decap", "-i", "eth0", "--from", from]));
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
        assert!(output.stderr.contains(message), "{from}: {output:?}");
    }
    for missing in [&["decap", "-i", "eth0"][..], &["decap", "--from", "10.0.0.1"]] {
        let output = Output::of(Command::new(LIGHTPATH).args(missing));
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
    }
}

/// The host, once its interface has the link-local address that the kernel gives it in time.
fn settled(host: &Namespace) -> HostState {
    eventually("eth0 has a link-local address", || ip(host, "-o addr show dev eth0").contains("fe80:"));
    HostState::of(host)
}

#[test]
fn an_interface_that_is_missing_or_taken_is_refused_and_nothing_changes() {
    let scratch = isolated();
    let lab = OneArmed::new(1).unwrap();
    let backend = &lab.backends[0].ns;
    let mut decap = Decap::new(backend, &scratch);
    let before = settled(backend);
    let output = decap.refused(&["-i", "eth7", "--from", "10.0.0.2"]);
    assert!(output.stderr.contains("there is no interface eth7"), "{output:?}");

    let foreign = backend.run(|| attach_pass("eth0")).unwrap().unwrap();
    let program = decap.program();
    let output = decap.refused(&["-i", "eth0", "--from", "10.0.0.2"]);
    assert!(output.stderr.contains("eth0 already has the XDP program \"lightpath_pass\""), "{output:?}");
    assert_eq!(decap.program(), program);
    drop(foreign);
    before.is_back(backend);

    decap.start(&["--from", "10.0.0.2"]);
    let program = decap.program();
    let output = decap.refused(&["-i", "eth0", "--from", "10.0.0.2"]);
    assert!(output.stderr.contains("another lightpath decap runs on eth0"), "{output:?}");
    let output = Output::of(&mut decap.command(&["detach", "--instance", "decap-eth0"]));
    assert_eq!(output.code, Some(1), "{output:?}");
    assert_eq!(decap.program(), program);
    decap.stop();
    before.is_back(backend);
}

#[test]
fn what_a_crash_leaves_is_exchanged_by_the_next_start() {
    let scratch = isolated();
    let lab = OneArmed::new(1).unwrap();
    let backend = &lab.backends[0].ns;
    let mut decap = Decap::new(backend, &scratch);
    let before = settled(backend);
    decap.start(&["--from", "10.0.0.2"]);
    let first = decap.program();
    decap.end(Signal::SIGKILL);
    assert_eq!(decap.program(), first);
    decap.start(&["--from", "10.0.0.2", "--keep"]);
    let second = decap.program();
    assert!(second.is_some() && second != first);
    decap.stop();
    assert_eq!(decap.program(), second);

    let output = Output::of(&mut decap.command(&["detach", "--instance", "decap-eth0"]));
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "detached from eth0\n"), "{output:?}");
    before.is_back(backend);
}

#[test]
fn a_program_that_was_taken_off_is_put_on_again() {
    let scratch = isolated();
    let lab = OneArmed::new(1).unwrap();
    let backend = &lab.backends[0].ns;
    let mut decap = Decap::new(backend, &scratch);
    decap.start(&["--from", "10.0.0.2"]);
    std::fs::remove_file(decap.bpf().join("decap-eth0/links/eth0")).unwrap();
    eventually("the program is on the interface again", || {
        decap.log().contains("it is on again") && decap.program().is_some()
    });
    decap.stop();
}

#[test]
fn the_host_is_looked_at() {
    let scratch = isolated();
    let lab = OneArmed::new(1).unwrap();
    let backend = &lab.backends[0].ns;
    let mut decap = Decap::new(backend, &scratch);
    decap.start(&["--from", "10.0.0.2"]);
    decap.stop();
    assert!(!decap.log().contains("sysctl -w"), "{}", decap.log());

    backend.sysctl("net.ipv4.conf.eth0.rp_filter", "1").unwrap();
    ip(backend, "address add 203.0.113.10/32 dev lo");
    decap.start(&["--from", "10.0.0.2"]);
    decap.stop();
    for hint in ["net.ipv4.conf.eth0.rp_filter=2", "net.ipv4.conf.all.arp_ignore=1"] {
        assert!(decap.log().contains(hint), "{hint}: {}", decap.log());
    }
}
