//! Slots in motion: the kernel remembers flows as the host does, and the daemon's settling sees what it remembers.

use lightpath_abi::Slot;
use lightpath_core::Tables;
use lightpath_core::host::Image;
use lightpath_dataplane::TestPacket;
use lightpath_testkit::cases::{assert_all_hold, contents};
use lightpath_testkit::describe;
use lightpath_testkit::packet::{PacketBuilder, SYN, tcp};
use lightpath_testkit::random::Packets;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::lab::{CAPACITY, in_lab, receive};
use crate::packets::fares_alike;

/// Generated packets after each change.
const PACKETS: usize = 1500;

/// The image with every slot on another backend of its service: the next one in the order of their numbers.
fn turned(image: &Image) -> Image {
    let mut turned = image.clone();
    for (service, slots) in &mut turned.slots {
        let backends = image.backends.iter().filter(|(_, backend)| backend.service == *service);
        let numbers: Vec<u16> = backends.map(|(number, _)| *number).collect();
        for slot in slots {
            if let Some(at) = numbers.iter().position(|number| number == slot) {
                *slot = numbers[(at + 1) % numbers.len()];
            }
        }
    }
    turned
}

#[test]
fn flows_of_moving_slots_fare_alike_in_the_kernel_and_on_the_host() {
    in_lab(|lab| {
        let _receiving = receive();
        let mut image = contents(&lab.node).image;
        let mut dataplane = lab.open(&contents(&lab.node));
        let mut remembered = 0;
        for seed in 1..=4 {
            image = turned(&image);
            assert!(dataplane.apply(&image).unwrap().slots > 0);
            let motion = dataplane.settle().unwrap();
            assert!(motion.moving_slots > 0, "{motion:?}");
            let tables = dataplane.host_tables().unwrap();
            assert_all_hold(Packets::new(seed).take(PACKETS).map(|packet| {
                fares_alike(&packet, &lab.node, &dataplane, &tables)
                    .map_err(|error| format!("seed {seed}: {error}\n{}", describe(&packet)))
            }));
            remembered = remembered.max(dataplane.settle().unwrap().flows);
        }
        assert!(remembered > 50, "only {remembered} flows were remembered");
    });
}

#[test]
fn slots_that_return_to_their_backend_send_unknown_flows_there_at_once() {
    in_lab(|lab| {
        let contents = contents(&lab.node);
        let mut dataplane = lab.open(&contents);
        assert_eq!(dataplane.settle().unwrap().moving_slots, 0, "fresh tables are settled");
        dataplane.apply(&turned(&contents.image)).unwrap();
        dataplane.apply(&contents.image).unwrap();
        let moving = dataplane.settle().unwrap().moving_slots;
        let tables = dataplane.host_tables().unwrap();
        let slots: Vec<Slot> = (0..CAPACITY.slots).filter_map(|index| tables.slot(index)).collect();
        let returned =
            slots.iter().filter(|slot| slot.previous != 0 && slot.previous == slot.current).count();
        assert!(moving > 0 && moving == returned, "{returned} of {moving} moving slots");
    });
}

#[test]
fn what_was_remembered_of_a_backend_is_forgotten_when_it_stops_serving() {
    in_lab(|lab| {
        let _receiving = receive();
        let contents = contents(&lab.node);
        let mut dataplane = lab.open(&contents);
        let mut image = turned(&contents.image);
        dataplane.apply(&image).unwrap();
        let tables = dataplane.host_tables().unwrap();
        for packet in Packets::new(7).take(PACKETS) {
            fares_alike(&packet, &lab.node, &dataplane, &tables).unwrap();
        }
        assert!(dataplane.settle().unwrap().flows > 0);
        for backend in image.backends.values_mut() {
            backend.serving = 0;
        }
        dataplane.apply(&image).unwrap();
        for backend in image.backends.values_mut() {
            backend.serving = 1;
        }
        dataplane.apply(&image).unwrap();
        assert_eq!(dataplane.settle().unwrap().flows, 0);
    });
}

/// Tables of each CPU's own, as in vc5, lose flows when an interface moves them to another queue.
#[test]
fn a_flow_is_remembered_whichever_cpu_receives_its_packets() {
    in_lab(|lab| {
        let _receiving = receive();
        let contents = contents(&lab.node);
        let mut dataplane = lab.open(&contents);
        dataplane.apply(&turned(&contents.image)).unwrap();
        let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
        let cpus: Vec<usize> = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap()).collect();
        let destination = |cpu: usize, packet: &PacketBuilder| {
            let mut only = CpuSet::new();
            only.set(cpu).unwrap();
            sched_setaffinity(Pid::from_raw(0), &only).unwrap();
            let packet = TestPacket { bytes: &packet.build(), interface: lab.node.front, repeat: 1 };
            dataplane.test_run(packet).unwrap().bytes[30..34].to_vec()
        };
        for (port, cpu) in (4000..4032).zip(cpus.iter().cycle()) {
            let packet = tcp(&format!("198.51.100.10:{port}"), "203.0.113.10:93").payload(b"");
            let backend = destination(*cpu, &packet.clone().flags(SYN).sequence(5));
            // Every slot moves: a segment of a flow that is not remembered goes to another backend than a SYN.
            for cpu in &cpus {
                assert_eq!(destination(*cpu, &packet.clone().sequence(6)), backend, "port {port}, CPU {cpu}");
            }
        }
    });
}
