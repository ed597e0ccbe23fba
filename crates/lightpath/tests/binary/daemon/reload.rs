//! Changes while connections are held: none of them notices.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};
use std::os::fd::AsRawFd;

use crate::common::{Balancer, Bed, Family, Held, Service, Traffic, eventually, file, number, serve_lines};

use super::{serve_pages, web_file};

/// Where the lines are served; pages are at port 80.
const LINES: &str = "7000";
const LINES_PORT: u16 = 7000;

const NAMES: [&str; 4] = ["one", "two", "three", "four"];

fn serve(bed: &Bed) {
    for (backend, name) in bed.backends.iter().zip(NAMES) {
        serve_lines(&backend.ns, SocketAddr::from(([0, 0, 0, 0], LINES_PORT)), name);
    }
}

/// A file with one service of lines, whose backends have these weights; a backend without one is not in it.
fn lines(bed: &Bed, weights: [Option<u16>; 4]) -> String {
    lines_by("nat", bed, weights)
}

fn lines_by(forward: &'static str, bed: &Bed, weights: [Option<u16>; 4]) -> String {
    const WEIGHTS: [(u16, &str); 4] =
        [(0, "weight = 0"), (50, "weight = 50"), (100, ""), (300, "weight = 300")];
    let mut service = Service::web("lines", Family::V4.vip(10), &bed.addresses(Family::V4));
    service.port = LINES;
    service.forward = forward;
    for (backend, weight) in service.backends.iter_mut().zip(weights) {
        let written = |weight: u16| WEIGHTS.iter().find(|(known, _)| *known == weight).unwrap().1;
        backend.more = weight.map_or("", written);
    }
    let mut kept = weights.iter();
    service.backends.retain(|_| kept.next().is_some_and(Option::is_some));
    file(bed.interfaces, "", &[service])
}

fn reload(balancer: &Balancer, config: &str) -> String {
    balancer.configure(config);
    let reloaded = balancer.ask(&["reload"]);
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    reloaded.stdout
}

#[test]
fn two_hundred_held_connections_survive_every_change_of_backends() {
    connections_survive_every_change_of_backends("nat");
}

#[test]
fn two_hundred_held_connections_of_fullnat_survive_every_change_of_backends() {
    connections_survive_every_change_of_backends("fullnat");
}

fn connections_survive_every_change_of_backends(forward: &'static str) {
    let lines = |bed: &Bed, weights| lines_by(forward, bed, weights);
    let mut bed = Bed::one_armed(4);
    serve(&bed);
    let all = [Some(100); 4];
    bed.balancer.start_with(&lines(&bed, [Some(100), Some(100), Some(100), None]));
    let service = (Family::V4.vip(10), LINES_PORT);
    let held = Held::open(&bed.client.ns, service, 200);
    assert_eq!(held.all_talk(), 3);

    let changes: [(&str, [Option<u16>; 4]); 7] = [
        ("a backend more", all),
        ("other weights", [Some(300), Some(50), Some(100), Some(300)]),
        ("one drains", [Some(300), Some(0), Some(100), Some(300)]),
        ("one is removed by and by", [Some(300), None, Some(100), Some(300)]),
        ("one is removed at once", [None, None, Some(100), Some(300)]),
        ("all return", all),
        ("nothing", all),
    ];
    for (what, weights) in changes {
        let printed = reload(&bed.balancer, &lines(&bed, weights));
        assert_eq!(printed == "nothing is different\n", what == "nothing", "{what}: {printed}");
        held.all_talk();
        // New ones find a backend too.
        let more = Held::open(&bed.client.ns, service, 40);
        more.all_talk();
        if weights.iter().filter(|weight| weight.is_some_and(|weight| weight > 0)).count() == 2 {
            assert_eq!((more.with("one"), more.with("two")), (0, 0), "{what}");
        }
        held.all_talk();
    }
    for end in [Balancer::stop as fn(&mut Balancer), Balancer::kill] {
        end(&mut bed.balancer);
        held.all_talk();
        bed.balancer.start();
        held.all_talk();
    }
    let drops = bed.balancer.status().0["drops"].clone();
    assert_eq!(drops.as_object().map(serde_json::Map::len), Some(0), "{drops}");
    bed.balancer.stop();
    bed.balancer.detach();
}

/// Another program and larger maps take the place of those that have no sessions.
#[test]
fn fullnat_is_turned_on_and_off_under_traffic() {
    let mut bed = Bed::one_armed(3);
    serve(&bed);
    let _servers = serve_pages(&bed);
    let without = web_file(&bed);
    bed.balancer.start_with(&without);
    let traffic = Traffic::start(&bed.client.ns, SocketAddr::new(Family::V4.vip(10), 80));
    traffic.goes_on_for(50);
    let features = |bed: &Bed| bed.balancer.status().0["program"]["features"].to_string();
    assert!(!features(&bed).contains("fullnat"), "{}", features(&bed));

    let mut service = Service::web("lines", Family::V6.vip(20), &bed.addresses(Family::V4));
    (service.port, service.forward) = (LINES, "fullnat");
    let printed = reload(&bed.balancer, &format!("{without}{service}"));
    assert_eq!(printed, "service lines: added\n");
    assert!(features(&bed).contains("fullnat"), "{}", features(&bed));
    let held = Held::open(&bed.client.ns, (Family::V6.vip(20), LINES_PORT), 60);
    assert_eq!(held.all_talk(), 3);
    traffic.goes_on_for(50);

    // Its sessions live on while it leaves.
    reload(&bed.balancer, &without);
    held.all_talk();
    traffic.goes_on_for(50);
    drop(held);
    assert!(traffic.finish() >= 150, "no request has failed");
    let drops = bed.balancer.status().0["drops"].clone();
    assert_eq!(drops.as_object().map(serde_json::Map::len), Some(0), "{drops}");
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_syn_flood_during_a_move_breaks_no_held_connection() {
    const FORGED: u32 = 300_000;
    let mut bed = Bed::one_armed(4);
    serve(&bed);
    bed.balancer.start_with(&lines(&bed, [Some(100), Some(100), None, None]));
    let service = (Family::V4.vip(10), LINES_PORT);
    let held = Held::open(&bed.client.ns, service, 50);
    reload(&bed.balancer, &lines(&bed, [Some(100); 4]));
    // Half of them are older than the move, half of them younger.
    let younger = Held::open(&bed.client.ns, service, 50);
    let before = number(&bed.balancer.status().service("lines")["packets"]);
    bed.client.ns.run(|| flood(FORGED)).unwrap();
    eventually("the flood has come through", || {
        number(&bed.balancer.status().service("lines")["packets"]) - before > u64::from(FORGED) * 9 / 10
    });
    held.all_talk();
    younger.all_talk();
    bed.balancer.stop();
    bed.balancer.detach();
}

/// Sends SYNs of as many flows from addresses that are nobody's.
fn flood(packets: u32) {
    let std::net::IpAddr::V4(vip) = Family::V4.vip(10) else { panic!("an IPv4 VIP") };
    let to = SockaddrIn::from(std::net::SocketAddrV4::new(vip, 0));
    let raw = socket(AddressFamily::Inet, SockType::Raw, SockFlag::empty(), SockProtocol::Raw).unwrap();
    for number in 0..packets {
        // The kernel fills in length and checksum of the IP header (raw(7)).
        let source = Ipv4Addr::from_bits(0xc612_0000 | number & 0xffff);
        let port = 1024 + (number >> 16) as u16;
        let mut packet = syn(source, vip, port, number.wrapping_mul(0x9e37_79b9));
        while let Err(error) = sendto(raw.as_raw_fd(), &packet, &to, MsgFlags::empty()) {
            assert_eq!(error, nix::Error::ENOBUFS, "packet {number}");
            std::thread::sleep(Duration::from_millis(1));
            packet.truncate(40);
        }
    }
}

fn syn(source: Ipv4Addr, destination: Ipv4Addr, port: u16, sequence: u32) -> Vec<u8> {
    let mut packet = Vec::with_capacity(40);
    etherparse::PacketBuilder::ipv4(source.octets(), destination.octets(), 64)
        .tcp(port, LINES_PORT, sequence, 1024)
        .syn()
        .write(&mut packet, &[])
        .unwrap();
    packet
}

#[test]
fn a_reload_loses_no_request_and_sighup_does_the_same() {
    let mut bed = Bed::one_armed(3);
    let _servers = serve_pages(&bed);
    let whole = web_file(&bed);
    bed.balancer.start_with(&whole);
    let traffic = Traffic::start(&bed.client.ns, SocketAddr::new(Family::V4.vip(10), 80));
    traffic.goes_on_for(100);
    let two = Service::web("webV4", Family::V4.vip(10), &bed.addresses(Family::V4)[..2]);
    for _ in 0..3 {
        let printed = reload(&bed.balancer, &file(bed.interfaces, "", std::slice::from_ref(&two)));
        assert!(printed.contains("service webV6: removed"), "{printed}");
        traffic.goes_on_for(100);
        // IPv6 again: another program takes over.
        bed.balancer.configure(&whole);
        let pid = nix::unistd::Pid::from_raw(i32::try_from(bed.balancer.pid()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).unwrap();
        eventually("the service is back", || {
            bed.balancer.status().0["services"].as_array().is_some_and(|services| services.len() == 2)
        });
        traffic.goes_on_for(100);
    }
    assert!(traffic.finish() >= 700);
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_file_that_is_wrong_changes_nothing() {
    let mut bed = Bed::one_armed(2);
    let _servers = serve_pages(&bed);
    bed.balancer.start_with(&web_file(&bed));
    let before = bed.balancer.status().0["services"][0]["backends"].as_array().unwrap().len();
    for (wrong, told) in [
        ("[node]\ninterfaces = [\"eth0\"]\nnonsense = 1\n".to_owned(), "nonsense"),
        (web_file(&bed).replace("\"eth0\"", "\"eth9\""), "eth9"),
        ("[[".to_owned(), "default.toml:1:3"),
    ] {
        bed.balancer.configure(&wrong);
        let refused = bed.balancer.ask(&["reload"]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(told), "{told}: {refused:?}");
        let now = bed.balancer.status().0["services"][0]["backends"].as_array().unwrap().len();
        assert_eq!(now, before);
    }
    bed.balancer.stop();
    bed.balancer.detach();
}
