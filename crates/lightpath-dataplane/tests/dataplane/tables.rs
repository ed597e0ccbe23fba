//! Desired tables onto the maps: what is written, and what is not.

use lightpath_abi::NextHop;
use lightpath_dataplane::{Capacity, Changes, Dataplane, Error, Pins, Spec, TestPacket};
use lightpath_testkit::cases::{Expected, assert_all_hold, cases, contents};
use lightpath_testkit::packet::tcp;
use lightpath_testkit::{Action, Setup, service};

use crate::lab::{Lab, in_lab, receive, spec};

const NOTHING: Changes = Changes { entries: 0, backends: 0, slots: 0 };

#[test]
fn the_same_tables_again_change_nothing() {
    in_lab(|lab| {
        let contents = contents(&lab.node);
        let mut dataplane = Dataplane::open(&lab.pins, &spec(&contents)).unwrap();
        let first = dataplane.apply(&contents.image).unwrap();
        assert_eq!(first.entries, contents.image.entries.len());
        // A backend whose next hop is not known is stored all the same.
        assert_eq!(first.backends, contents.image.backends.len());
        assert_eq!(dataplane.apply(&contents.image).unwrap(), NOTHING);
    });
}

#[test]
fn what_was_applied_is_what_is_read() {
    in_lab(|lab| {
        let contents = contents(&lab.node);
        let tables = lab.open(&contents).tables();
        for (number, backend) in &contents.image.backends {
            let read = tables.backends.get(number).unwrap();
            assert_eq!(
                (read.service, read.address, read.port),
                (backend.service, backend.address, backend.port)
            );
            assert_eq!(read.next_hop(), backend.next_hop());
        }
        assert_eq!(tables.backends.len(), contents.image.backends.len());
        assert_eq!(tables.entries.len(), contents.image.entries.len());
    });
}

#[test]
fn another_mac_address_changes_one_backend() {
    in_lab(|lab| {
        let _receiving = receive();
        let mut contents = contents(&lab.node);
        let mut dataplane = lab.open(&contents);
        let packet = tcp("198.51.100.10:4000", "203.0.113.10:80").build();
        let mac = |dataplane: &Dataplane| {
            let packet = TestPacket { bytes: &packet, interface: lab.node.front, repeat: 1 };
            dataplane.test_run(packet).unwrap().bytes[..6].to_vec()
        };
        assert_eq!(mac(&dataplane), lab.node.backend_hop().mac);
        // Back and forth, since the next hop has two places that are written in turn.
        for last in [0x21, 0x22, 0x23] {
            let number = *contents.backends("web").keys().next().unwrap();
            let new = NextHop { mac: [2, 0, 0, 0, 2, last], ..lab.node.backend_hop() };
            contents.image.backends.get_mut(&number).unwrap().hops[0] = new;
            let changes = dataplane.apply(&contents.image).unwrap();
            assert_eq!(changes, Changes { backends: 1, ..NOTHING });
            assert_eq!(mac(&dataplane), new.mac);
        }
    });
}

#[test]
fn slots_are_written_only_where_they_differ() {
    in_lab(|lab| {
        let mut contents = contents(&lab.node);
        let mut dataplane = lab.open(&contents);
        let service = contents.service("spread");
        let slots = contents.image.slots.get_mut(&service).unwrap();
        let other = slots[1];
        for index in [0, 5, 60] {
            slots[index] = if slots[index] == other { slots[2] } else { other };
        }
        let changes = dataplane.apply(&contents.image).unwrap();
        assert_eq!(changes, Changes { slots: 3, ..NOTHING });
        // Slots that are not mentioned stay.
        contents.image.slots.clear();
        assert_eq!(dataplane.apply(&contents.image).unwrap(), NOTHING);
    });
}

#[test]
fn a_service_that_goes_takes_its_entries_and_backends_along() {
    in_lab(|lab| {
        let _receiving = receive();
        let hop = lab.node.backend_hop();
        let web = service("web", "203.0.113.10", 80).backend("10.0.0.11:8080", hop);
        let more = service("more", "203.0.113.20", 8000..=8999).backend("10.0.0.12", hop);
        let both = Setup::new().with(web.clone()).with(more).contents();
        let mut dataplane = lab.open(&both);
        let one = Setup::new().with(web).contents();
        let changes = dataplane.apply(&one.image).unwrap();
        let gone = both.image.entries.len() - one.image.entries.len();
        assert_eq!(changes, Changes { entries: gone, backends: 1, slots: 0 });

        let action = |vip: &str| run(lab, &dataplane, vip);
        assert_eq!(action("203.0.113.10:80"), Action::Redirect as u32);
        assert_eq!(action("203.0.113.20:8500"), Action::Pass as u32);
    });
}

fn run(lab: &Lab, dataplane: &Dataplane, vip: &str) -> u32 {
    let packet = tcp("198.51.100.10:4000", vip).build();
    dataplane.test_run(TestPacket { bytes: &packet, interface: lab.node.front, repeat: 1 }).unwrap().action
}

/// The table's size is exchanged with the place of its slots, so packets never see half of each.
#[test]
fn a_table_can_change_its_size() {
    in_lab(|lab| {
        let _receiving = receive();
        let mut contents = contents(&lab.node);
        let mut dataplane = lab.open(&contents);
        let service = contents.service("web");
        let number = *contents.backends("web").keys().next().unwrap();
        for size in [127, 13, 251] {
            contents.image.slots.insert(service, vec![number; size]);
            let changes = dataplane.apply(&contents.image).unwrap();
            assert_eq!((changes.entries, changes.backends), (1, 0));
            assert_eq!(dataplane.apply(&contents.image).unwrap(), NOTHING);
        }
        assert_all_hold(cases(&lab.node).iter().filter(|case| !matches!(case.expected, Expected::Pass)).map(
            |case| {
                // What came before is not repeated here.
                if !case.node.forwarding || case.what.starts_with("fullnat") {
                    return Ok(());
                }
                let packet = TestPacket { bytes: &case.packet, interface: case.ingress, repeat: 1 };
                let outcome = dataplane.test_run(packet).unwrap();
                case.check(outcome.action, &outcome.bytes)
            },
        ));
    });
}

#[test]
fn more_than_fits_is_refused_by_name() {
    in_lab(|lab| {
        let contents = contents(&lab.node);
        let refused = |capacity: Capacity, table: &str| {
            let pins = Pins::new(lab.pins.directory(), table);
            let mut dataplane = Dataplane::open(&pins, &Spec { capacity, ..spec(&contents) }).unwrap();
            match dataplane.apply(&contents.image) {
                Err(Error::Full { table: full, capacity }) => (full, capacity),
                other => panic!("{table}: {other:?}"),
            }
        };
        let enough = spec(&contents).capacity;
        assert_eq!(refused(Capacity { backends: 8, ..enough }, "backends"), ("table of backends", 8));
        assert_eq!(refused(Capacity { slots: 100, ..enough }, "slots"), ("slot array", 100));
        assert_eq!(refused(Capacity { directory: 32, ..enough }, "directory"), ("directory", 32));
    });
}
