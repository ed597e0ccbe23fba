//! A program over what an earlier version has left: its maps become maps of this schema, with everything in them.

use std::fs;
use std::path::Path;

use aya::maps::{Array, Map, MapData, PerCpuArray, PerCpuValues};
use aya::util::nr_cpus;
use lightpath_abi::Features;
use lightpath_core::{Reason, ReplyKind};
use lightpath_dataplane::{Capacity, Dataplane, Error, Spec, TestPacket, XdpMode};
use lightpath_testkit::Contents;
use lightpath_testkit::cases::contents;
use lightpath_testkit::packet::tcp;

use crate::lab::{Lab, in_lab, spec};
use crate::refuse::describe;

/// The counters that schema 2 had: of 18 reasons and 4 kinds of answers.
const COUNTERS_OF_2: [(&str, u32); 2] = [("REASONS", 18), ("REPLIES", 4)];
/// Words by which it described its maps.
const META_OF_2: u32 = 9;

/// What the count of an index is on a CPU.
fn count(index: u32, cpu: usize) -> u64 {
    1000 * u64::from(index) + cpu as u64 + 7
}

/// What it is on all of them.
fn sum(index: u32) -> u64 {
    (0..nr_cpus().unwrap()).map(|cpu| count(index, cpu)).sum()
}

/// Makes the pinned maps those that a version of schema 2 would have left.
fn become_schema_2(lab: &Lab) {
    let maps = lab.pins.directory().join("maps");
    for (name, entries) in COUNTERS_OF_2 {
        let mut map = PerCpuArray::<MapData, u64>::create(entries, 0).unwrap();
        for index in 0..entries {
            let values: Vec<u64> = (0..nr_cpus().unwrap()).map(|cpu| count(index, cpu)).collect();
            map.set(index, PerCpuValues::try_from(values).unwrap(), 0).unwrap();
        }
        replace(&maps.join(name), |path| map.pin(path).unwrap());
    }
    let path = maps.join("META");
    let meta =
        Array::<MapData, u64>::try_from(Map::from_map_data(MapData::from_pin(&path).unwrap()).unwrap());
    let meta = meta.unwrap();
    let words: Vec<u64> = (0..META_OF_2).map(|index| meta.get(&index, 0).unwrap()).collect();
    describe(&[&[2], &words[1..]].concat(), &path);
}

fn replace(path: &Path, pin: impl FnOnce(&Path)) {
    fs::remove_file(path).unwrap();
    pin(path);
}

/// A running program whose slots move, with a flow that is remembered for it.
fn running(lab: &Lab) -> (Contents, Dataplane) {
    let mut contents = contents(&lab.node);
    contents.parameters.features = Features::IPV4 | Features::NAT;
    let mut running = lab.open(&contents);
    running.attach(&["front".into()], XdpMode::Native).unwrap();
    let service = contents.image.backends[&1].service;
    contents.image.slots.get_mut(&service).unwrap().fill(0);
    running.apply(&contents.image).unwrap();
    send(lab, &running, &tcp("198.51.100.10:4000", "203.0.113.10:80").build());
    (contents, running)
}

fn send(lab: &Lab, dataplane: &Dataplane, packet: &[u8]) {
    dataplane.test_run(TestPacket { bytes: packet, interface: lab.node.front, repeat: 1 }).unwrap();
}

#[test]
fn what_schema_2_has_left_goes_on_also_in_larger_maps() {
    let larger: [fn(Capacity) -> Capacity; 2] = [
        |same| same,
        |from| Capacity {
            slots: from.slots * 2,
            directory: from.directory * 2,
            backends: from.backends * 2,
            services: from.services * 2,
            ..from
        },
    ];
    for grown in larger {
        in_lab(|lab| {
            let (contents, mut running) = running(lab);
            let motion = running.settle().unwrap();
            assert_eq!(motion.flows_of.get(&1), Some(&1));
            let before = running.counters().unwrap();
            become_schema_2(lab);
            let wanted = Spec { capacity: grown(running.spec().capacity), ..spec(&contents) };

            // Tried, and given up.
            drop(Dataplane::open(&lab.pins, &wanted).unwrap());
            lab.pins.forget_next().unwrap();
            assert!(lab.pins.unfinished().is_empty(), "{:?}", lab.pins.unfinished());

            let mut migrated = Dataplane::open(&lab.pins, &wanted).unwrap();
            assert_eq!(migrated.apply(&contents.image).unwrap(), lightpath_dataplane::Changes::default());
            // Until the new program takes its place, the old one forwards and counts.
            send(lab, &running, &tcp("198.51.100.10:4000", "203.0.113.10:80").build());
            migrated.attach(&["front".into()], XdpMode::Native).unwrap();
            assert_eq!(migrated.settle().unwrap(), motion);
            let now = migrated.counters().unwrap();
            assert_eq!(now.backends[&1].packets, before.backends[&1].packets + 1);
            for (index, (reason, dropped)) in (0..).zip(Reason::ALL.into_iter().zip(now.reasons)) {
                let expected = if index < COUNTERS_OF_2[0].1 { sum(index) } else { 0 };
                assert_eq!(dropped, expected, "{reason:?}");
            }
            assert_eq!(now.replies[..4], [0, 1, 2, 3].map(sum));
            assert_eq!(now.replies.len(), ReplyKind::NAMES.len());

            // It counts on from there, and the next start finds maps of this schema.
            send(lab, &migrated, &tcp("198.51.100.10:4001", "203.0.113.10:80").ttl(1).build());
            drop(migrated);
            let again = Dataplane::open(&lab.pins, &wanted).unwrap();
            assert_eq!(again.spec().capacity, wanted.capacity);
            let ttl = Reason::TtlExpired as u32;
            assert_eq!(again.counters().unwrap().dropped(Reason::TtlExpired), sum(ttl) + 1);
        });
    }
}

#[test]
fn a_program_on_maps_of_an_earlier_schema_cannot_be_taken_back_and_is_said_to_be_one() {
    in_lab(|lab| {
        let (contents, running) = running(lab);
        become_schema_2(lab);
        drop(running);
        let mut migrated = Dataplane::open(&lab.pins, &spec(&contents)).unwrap();
        migrated.attach(&["front".into()], XdpMode::Native).unwrap();
        let refused = migrated.roll_back(&spec(&contents)).unwrap_err();
        assert!(matches!(refused, Error::PreviousSchema { found: 2, .. }), "{refused}");
    });
}

/// The program has been exchanged, but not the places of the maps.
#[test]
fn a_crash_between_program_and_maps_is_finished_by_the_next_start() {
    in_lab(|lab| {
        let (contents, running) = running(lab);
        become_schema_2(lab);
        let directory = lab.pins.directory();
        let old = directory.join("kept");
        fs::create_dir(&old).unwrap();
        for entry in fs::read_dir(directory.join("maps")).unwrap() {
            let entry = entry.unwrap();
            MapData::from_pin(entry.path()).unwrap().pin(old.join(entry.file_name())).unwrap();
        }
        drop(running);
        let mut migrated = Dataplane::open(&lab.pins, &spec(&contents)).unwrap();
        migrated.attach(&["front".into()], XdpMode::Native).unwrap();
        drop(migrated);
        fs::rename(directory.join("maps"), directory.join("maps_next")).unwrap();
        fs::rename(&old, directory.join("maps")).unwrap();

        let again = Dataplane::open(&lab.pins, &spec(&contents)).unwrap();
        assert!(!directory.join("maps_next").exists(), "nothing is migrated twice");
        let counters = again.counters().unwrap();
        assert_eq!(counters.backends[&1].packets, 1);
        assert_eq!(counters.dropped(Reason::TtlExpired), sum(Reason::TtlExpired as u32));
    });
}
