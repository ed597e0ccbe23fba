//! Another program under load: it takes over, is taken back, or is refused, and no request notices.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use nix::sys::stat::{Mode, fchmodat};

use crate::common::{
    Bed, BpfObject, Family, Follower, Held, LIGHTPATH, Output, Service, Traffic, eventually, file, number,
    serve_lines,
};

use super::{send_too_far, serve_pages, web, web_file};

const PORT: u16 = 7000;

/// The id of the program that runs.
fn program(bed: &Bed) -> u64 {
    number(&bed.balancer.status().0["program"]["id"])
}

#[test]
fn an_upgrade_and_a_rollback_under_load_fail_no_request() {
    let mut bed = Bed::one_armed(3);
    let _servers = serve_pages(&bed);
    for (backend, name) in bed.backends.iter().zip(["one", "two", "three"]) {
        serve_lines(&backend.ns, SocketAddr::from(([0, 0, 0, 0], PORT)), name);
    }
    let [web_v4, web_v6] = web(&bed);
    let mut lines = Service::web("lines", Family::V4.vip(20), &bed.addresses(Family::V4));
    lines.port = "7000";
    bed.balancer.start_with(&file(bed.interfaces, "", &[web_v4, web_v6, lines]));
    let held = Held::open(&bed.client.ns, (Family::V4.vip(20), PORT), 200);
    let traffic = Traffic::start(&bed.client.ns, SocketAddr::new(Family::V4.vip(10), 80));
    traffic.goes_on_for(100);
    let pid = bed.balancer.pid();
    let first = program(&bed);

    // Nothing has been upgraded yet.
    let refused = bed.balancer.ask(&["rollback"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("no program is kept from before this one"), "{refused:?}");

    // Another version is another file; its packet path is another build when it says so.
    let other = bed.scratch.join("lightpath-other");
    fs::copy(LIGHTPATH, &other).unwrap();
    fchmodat(nix::fcntl::AT_FDCWD, &other, Mode::S_IRWXU, nix::sys::stat::FchmodatFlags::FollowSymlink)
        .unwrap();
    let upgraded = bed.balancer.ask(&["upgrade", "--binary", other.to_str().unwrap()]);
    assert_eq!(upgraded.code, Some(0), "{upgraded:?}");
    assert!(upgraded.stdout.contains("3 services, 3 of which send to a backend"), "{upgraded:?}");
    let second = program(&bed);
    assert_ne!(second, first);
    assert_eq!(bed.balancer.pid(), pid);
    assert_eq!(fs::read_link(format!("/proc/{pid}/exe")).unwrap(), other);
    held.all_talk();
    traffic.goes_on_for(100);

    assert!(traffic.finish() >= 200);
    held.all_talk();
    let status = bed.balancer.status();
    assert_eq!(status.0["drops"], serde_json::json!({}));
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_program_of_another_build_can_be_taken_back_and_a_broken_one_is_refused() {
    let mut bed = Bed::one_armed(2);
    let _servers = serve_pages(&bed);
    bed.balancer.start_with(&web_file(&bed));
    let traffic = Traffic::start(&bed.client.ns, SocketAddr::new(Family::V4.vip(10), 80));
    traffic.goes_on_for(50);
    let first = program(&bed);

    let object = BpfObject::of(&bed.balancer);
    let broken = bed.scratch.join("broken.o");
    let [balancer, pass] = ["lightpath", "lightpath_pass"].map(|name| object.symbol(name));
    let mut passing_all = object.0.clone();
    // Each under the other's name: the balancer hands every packet to the kernel.
    (0..4).for_each(|byte| passing_all.swap(balancer + byte, pass + byte));
    fs::write(&broken, passing_all).unwrap();
    bed.balancer.stop();
    let mut start = bed.balancer.run_command();
    let refused = start.arg("--bpf-object").arg(&broken).output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("the program is no good and is not used"), "{told}");
    assert!(told.contains("answers XDP_PASS, where XDP_TX is right"), "{told}");
    traffic.goes_on_for(50);

    // The same code, but not the same build.
    let another = bed.scratch.join("another.o");
    fs::write(&another, object.of_another_build()).unwrap();
    start_with_object(&mut bed, &another);
    let second = program(&bed);
    assert_ne!(second, first);
    traffic.goes_on_for(50);
    let back = bed.balancer.ask(&["rollback"]);
    assert_eq!(back.code, Some(0), "{back:?}");
    assert_eq!(program(&bed), first);
    traffic.goes_on_for(50);
    // And forward again.
    assert_eq!(bed.balancer.ask(&["rollback"]).code, Some(0));
    assert_eq!(program(&bed), second);
    assert!(traffic.finish() >= 200);
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn while_a_version_is_tried_questions_are_answered_and_changes_are_not_made() {
    let mut bed = Bed::one_armed(1);
    let _servers = serve_pages(&bed);
    bed.balancer.start_with(&web_file(&bed));
    let first = program(&bed);
    let (begun, goes_on) = (bed.scratch.join("begun"), bed.scratch.join("goes-on"));
    let slow = bed.scratch.join("slow");
    let script = format!(
        "#!/bin/sh\ntouch {}\nwhile [ ! -e {} ]; do sleep 0.1; done\necho it is no good >&2\nexit 1\n",
        begun.display(),
        goes_on.display()
    );
    fs::write(&slow, script).unwrap();
    fs::set_permissions(&slow, Permissions::from_mode(0o700)).unwrap();

    let mut upgrade = bed.balancer.command(&["upgrade", "--binary", slow.to_str().unwrap()]);
    let upgrade = thread::spawn(move || Output::of(&mut upgrade));
    eventually("it is tried", || begun.exists());
    assert_eq!(program(&bed), first);
    for change in [&["reload"][..], &["backend", "drain", "webV4", "10.0.0.11"], &["rollback"]] {
        let refused = bed.balancer.ask(change);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("another version is being tried"), "{refused:?}");
    }
    fs::write(&goes_on, "").unwrap();
    let mut follower = Follower::of(&bed.balancer.socket(), "/v1/events", "");
    let told = follower.event("upgrade-refused");
    assert!(told["cause"].as_str().unwrap().contains("it is no good"), "{told}");
    let refused = upgrade.join().unwrap();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("was tried on the live tables, and said: it is no good"), "{refused:?}");
    assert_eq!(bed.balancer.ask(&["backend", "drain", "webV4", "10.0.0.11"]).code, Some(0));
    assert_eq!(program(&bed), first);
    bed.balancer.stop();
    bed.balancer.detach();
}

/// A program that the suite finds nothing wrong with, and under which packets fare worse.
#[test]
fn a_program_under_which_drops_jump_is_taken_back_by_itself() {
    let mut bed = Bed::one_armed(1);
    let _servers = serve_pages(&bed);
    let [web_v4, _] = web(&bed);
    let mut names = Service::web("names", Family::V4.vip(10), &bed.addresses(Family::V4));
    (names.port, names.protocol) = ("53", "udp");
    bed.balancer.start_with(&file(bed.interfaces, "", &[web_v4, names]));
    let traffic = Traffic::start(&bed.client.ns, SocketAddr::new(Family::V4.vip(10), 80));
    traffic.goes_on_for(50);
    let first = program(&bed);
    bed.balancer.stop();
    let another = bed.scratch.join("another.o");
    let object = BpfObject::of(&bed.balancer);
    fs::write(&another, object.of_another_build()).unwrap();
    start_with_object(&mut bed, &another);
    let mut follower = Follower::of(&bed.balancer.socket(), "/v1/events", "");
    assert_eq!(follower.event("program-replaced")["program"], program(&bed));
    assert_ne!(program(&bed), first);
    traffic.goes_on_for(50);
    assert_ne!(program(&bed), first, "nothing is wrong yet");

    // More of all packets are dropped than before, whyever that is.
    eventually("the one before is back", || {
        send_too_far(&bed, 200);
        program(&bed) == first
    });
    let back = follower.event("program-rolled-back");
    assert_eq!((&back["severity"], &back["program"]), (&"warning".into(), &first.into()), "{back}");
    let log = bed.balancer.log();
    assert!(log.contains("% of all packets, the one before 0.0 %"), "{log}");
    assert!(traffic.finish() >= 100, "no request has failed");
    let status = bed.balancer.status();
    assert_eq!(status.0["drops"].as_object().unwrap().keys().collect::<Vec<_>>(), ["ttl-expired"]);
    bed.balancer.stop();
    bed.balancer.detach();
}

fn start_with_object(bed: &mut Bed, object: &Path) {
    bed.balancer.start_by(|command| {
        command.arg("--bpf-object").arg(object);
    });
}
