//! A daemon that starts again finds everything where it was.

use lightpath_abi::{BackendNumber, Features};
use lightpath_dataplane::{Capacity, Changes, Dataplane, Interface, Spec, TestPacket, XdpMode};
use lightpath_testkit::cases::contents;
use lightpath_testkit::packet::tcp;

use crate::lab::{Lab, in_lab, spec};

/// The number of the only backend of "web".
const WEB: BackendNumber = 1;

fn front() -> Vec<String> {
    vec!["front".into()]
}

fn send(lab: &Lab, dataplane: &Dataplane) {
    let packet = tcp("198.51.100.10:4000", "203.0.113.10:80").build();
    dataplane.test_run(TestPacket { bytes: &packet, interface: lab.node.front, repeat: 1 }).unwrap();
}

fn packets(dataplane: &Dataplane) -> u64 {
    dataplane.counters().unwrap().backends[&WEB].packets
}

#[test]
fn tables_and_counters_go_on_under_the_next_program() {
    in_lab(|lab| {
        let contents = contents(&lab.node);
        let mut first = lab.open(&contents);
        first.attach(&front(), XdpMode::Native).unwrap();
        send(lab, &first);
        let old = first.info().unwrap().id;
        drop(first);

        let mut second = Dataplane::open(&lab.pins, &spec(&contents)).unwrap();
        assert_eq!(packets(&second), 1);
        assert_eq!(second.apply(&contents.image).unwrap(), Changes::default());
        // The old program runs until the new one takes its place.
        assert_eq!(Interface::named("front").unwrap().xdp.unwrap().id, old);
        second.attach(&front(), XdpMode::Native).unwrap();
        let new = second.info().unwrap().id;
        assert_ne!(new, old);
        assert_eq!(Interface::named("front").unwrap().xdp.unwrap().id, new);
        send(lab, &second);
        assert_eq!(packets(&second), 2);
    });
}

#[test]
fn maps_that_are_larger_than_asked_for_are_adopted() {
    in_lab(|lab| {
        let contents = contents(&lab.node);
        let mut first = lab.open(&contents);
        first.attach(&front(), XdpMode::Native).unwrap();
        let large = first.spec().capacity;
        let small = Spec { capacity: Capacity { slots: 2048, directory: 512, ..large }, ..spec(&contents) };
        let mut second = Dataplane::open(&lab.pins, &small).unwrap();
        assert_eq!(second.spec().capacity, large);
        assert_eq!(second.apply(&contents.image).unwrap(), Changes::default());
    });
}

/// Each map larger by itself, then all of them.
const GROWTHS: [fn(Capacity) -> Capacity; 6] = [
    |from| Capacity { slots: from.slots * 2, ..from },
    |from| Capacity { directory: from.directory * 2, ..from },
    |from| Capacity { backends: from.backends * 2, ..from },
    |from| Capacity { services: from.services * 2, ..from },
    |from| Capacity { sources: from.sources * 2, ..from },
    |from| Capacity {
        slots: from.slots * 2,
        directory: from.directory * 2,
        backends: from.backends * 2,
        services: from.services * 2,
        sources: from.sources * 2,
        sessions: from.sessions * 2,
    },
];

#[test]
fn larger_maps_hold_all_that_was_in_the_smaller_ones() {
    in_lab(|lab| {
        let mut contents = contents(&lab.node);
        // It is about maps, and opens them often: a program that is soon verified will do.
        contents.parameters.features = Features::IPV4 | Features::NAT;
        let mut running = lab.open(&contents);
        running.attach(&front(), XdpMode::Native).unwrap();
        // Slots begin to move, so that a flow is remembered.
        let service = contents.image.backends[&WEB].service;
        contents.image.slots.get_mut(&service).unwrap().fill(0);
        running.apply(&contents.image).unwrap();
        send(lab, &running);
        assert_eq!(running.settle().unwrap().flows_of.get(&WEB), Some(&1));

        for (round, grown) in (2..).zip(GROWTHS) {
            let capacity = grown(running.spec().capacity);
            let next = Spec { capacity, ..*running.spec() };
            let before = running.settle().unwrap();
            let mut larger = Dataplane::open(&lab.pins, &next).unwrap();
            assert_eq!(larger.spec().capacity, capacity);
            assert_eq!(larger.apply(&contents.image).unwrap(), Changes::default(), "{capacity:?}");
            // Until it is attached the maps in use are the old ones, and what is counted there counts.
            send(lab, &running);
            larger.attach(&front(), XdpMode::Native).unwrap();
            assert_eq!(packets(&larger), round);
            assert_eq!(larger.settle().unwrap(), before, "{capacity:?}");
            drop(larger);
            running = Dataplane::open(&lab.pins, &next).unwrap();
            assert_eq!((*running.spec(), packets(&running)), (next, round));
            running.attach(&front(), XdpMode::Native).unwrap();
        }
    });
}

#[test]
fn another_key_starts_afresh_beside_the_maps_in_use() {
    in_lab(|lab| {
        let contents = contents(&lab.node);
        let rekeyed = Spec { hash_key: lightpath_core::HashKey::from_seed("another"), ..spec(&contents) };
        let mut running = lab.open(&contents);
        running.attach(&front(), XdpMode::Native).unwrap();
        send(lab, &running);
        let mut fresh = Dataplane::open(&lab.pins, &rekeyed).unwrap();
        let written = fresh.apply(&contents.image).unwrap();
        assert_eq!(written.entries, contents.image.entries.len());
        assert_eq!(packets(&fresh), 0);
        // Until it is attached the maps in use are the old ones.
        send(lab, &running);
        assert_eq!(packets(&running), 2);
        fresh.attach(&front(), XdpMode::Native).unwrap();
        drop(fresh);
        running = Dataplane::open(&lab.pins, &rekeyed).unwrap();
        assert_eq!(*running.spec(), rekeyed);
        assert_eq!(running.apply(&contents.image).unwrap(), Changes::default());
        running.attach(&front(), XdpMode::Native).unwrap();
    });
}
