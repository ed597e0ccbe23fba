//! An upgrade to a version whose maps have another layout, under load.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use aya::maps::{Array, Map, MapData};
use lightpath_abi::SCHEMA;
use lightpath_core::{Reason, ReplyKind};

use crate::common::{
    Bed, BpfObject, Family, Held, Output, Service, Traffic, eventually, file, number, serve_lines,
    tcp_resets_sent,
};

use super::{is_served, send_too_far, serve_pages, web_file};

const PORT: u16 = 7000;
const MAPS: &str = "/sys/fs/bpf/lightpath/default/maps";
/// What its daemon wrote first into `META`.
const EARLIER: u64 = 2;

/// The packet path of schema 2: its counters had no room for more reasons and answers than there were.
fn earlier(bed: &Bed) -> Vec<u8> {
    let mut object = BpfObject::of(&bed.balancer);
    object.set_entries("REASONS", u32::try_from(Reason::ALL.len()).unwrap());
    object.set_entries("REPLIES", u32::try_from(ReplyKind::NAMES.len()).unwrap());
    object.0
}

fn map(name: &str) -> MapData {
    MapData::from_pin(Path::new(MAPS).join(name)).unwrap()
}

fn entries(name: &str) -> u32 {
    map(name).info().unwrap().max_entries()
}

fn meta() -> Array<MapData, u64> {
    Array::try_from(Map::from_map_data(map("META")).unwrap()).unwrap()
}

#[test]
fn maps_of_schema_2_are_migrated_under_load_and_nothing_is_lost() {
    const DROPPED: usize = 30;
    let mut bed = Bed::one_armed(3);
    let _servers = serve_pages(&bed);
    for (backend, name) in bed.backends.iter().zip(["one", "two", "three"]) {
        serve_lines(&backend.ns, SocketAddr::from(([0, 0, 0, 0], PORT)), name);
    }
    let backends = bed.addresses(Family::V4);
    let mut services =
        ["pages", "lines", "names"].map(|name| Service::web(name, Family::V4.vip(10), &backends));
    services[1].port = "7000";
    (services[2].port, services[2].protocol) = ("53", "udp");
    let object = bed.scratch.join("schema-2.o");
    fs::write(&object, earlier(&bed)).unwrap();
    bed.balancer.configure(&file(bed.interfaces, "", &services));
    bed.balancer.start_by(|command| {
        command.arg("--bpf-object").arg(&object);
    });
    meta().set(0, EARLIER, 0).unwrap();
    assert_eq!(entries("REASONS") as usize, Reason::ALL.len());

    let held = Held::open(&bed.client.ns, (Family::V4.vip(10), PORT), 200);
    let traffic = Traffic::patient(&bed.client.ns, SocketAddr::new(Family::V4.vip(10), 80));
    send_too_far(&bed, DROPPED);
    // Slots begin to move, and flows are remembered for it.
    let first = backends[0].to_string();
    assert_eq!(bed.balancer.ask(&["backend", "drain", "lines", &first]).code, Some(0));
    held.all_talk();
    traffic.goes_on_for(60);
    let dropped = |bed: &Bed| bed.balancer.status().0["drops"]["ttl-expired"].as_u64();
    eventually("what was dropped is counted", || dropped(&bed) == Some(DROPPED as u64));
    let before = bed.balancer.status();
    let moving = number(&before.0["flows"]["moving_slots"]);
    assert!(moving > 0, "{before:?}");

    let upgraded = bed.balancer.ask(&["upgrade"]);
    assert_eq!(upgraded.code, Some(0), "{upgraded:?} {}", bed.balancer.log());
    assert_eq!(meta().get(&0, 0).unwrap(), u64::from(SCHEMA));
    assert_eq!((entries("REASONS"), entries("REPLIES")), (Reason::ROOM, ReplyKind::ROOM));
    held.all_talk();
    traffic.goes_on_for(60);
    let after = bed.balancer.status();
    assert_eq!(number(&after.0["flows"]["moving_slots"]), moving);
    for name in ["pages", "lines"] {
        let packets = |status: &crate::common::Status| number(&status.service(name)["packets"]);
        assert!(packets(&after) > packets(&before), "{name}");
    }
    send_too_far(&bed, DROPPED);
    eventually("it counts on", || dropped(&bed) == Some(2 * DROPPED as u64));

    // The program before this one cannot use these maps.
    let refused = bed.balancer.ask(&["rollback"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("ran on maps of schema 2"), "{refused:?}");
    // What comes next finds maps of its own schema.
    bed.balancer.kill();
    bed.balancer.start();
    held.all_talk();
    traffic.goes_on_for(60);
    let requests = traffic.finish();
    held.all_talk();
    assert_eq!(tcp_resets_sent(&bed.client.ns), 0);
    println!("schema {EARLIER} to {SCHEMA}: {requests} requests, 0 failed; 200 connections held, 0 reset");
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn maps_of_an_unknown_schema_are_left_alone_and_go_on_forwarding() {
    let mut bed = Bed::one_armed(1);
    let _servers = serve_pages(&bed);
    bed.balancer.start_with(&web_file(&bed));
    bed.balancer.stop();
    for unknown in [u64::from(SCHEMA) + 1, 1] {
        meta().set(0, unknown, 0).unwrap();
        let refused = Output::of(&mut bed.balancer.run_command());
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let told = format!("holds maps of schema {unknown}, this program has schema {SCHEMA}");
        assert!(refused.stderr.contains(&told), "{refused:?}");
        assert!(is_served(&bed.client.ns, Family::V4.vip(10)));
    }
    meta().set(0, u64::from(SCHEMA), 0).unwrap();
    bed.balancer.start();
    bed.balancer.stop();
    bed.balancer.detach();
}
