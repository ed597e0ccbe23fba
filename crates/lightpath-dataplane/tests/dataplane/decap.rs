//! The other end of tunnels in the kernel, against the same code on the host, to the byte and to the counter.

use std::collections::BTreeSet;

use lightpath_core::host::Unwrapped;
use lightpath_dataplane::{
    Decap, DecapSpec, Error, Interface, Mode, TestPacket, XdpMode, attach_pass, detach,
};
use lightpath_testkit::cases::assert_all_hold;
use lightpath_testkit::decap::{
    LOCAL, TUNNEL_SOURCES, Tunnels, decap_cases, decapsulate_on_host, prefixes, tunnel_end,
};
use lightpath_testkit::{describe, difference};

use crate::lab::{Lab, in_lab, receive};
use crate::packets::packets;

const SEEDS: [u64; 4] = [1, 2, 3, 5];

fn load(strict: bool) -> Decap {
    let mut decap = Decap::load(&DecapSpec { sources: prefixes(&TUNNEL_SOURCES), strict }).unwrap();
    decap.set_local(&prefixes(&LOCAL).into_iter().collect()).unwrap();
    decap
}

fn run(decap: &Decap, lab: &Lab, packet: &[u8]) -> Result<(u32, Vec<u8>), String> {
    let packet = TestPacket { bytes: packet, interface: lab.node.front, repeat: 1 };
    let outcome = decap.test_run(packet).map_err(|error| error.to_string())?;
    Ok((outcome.action, outcome.bytes))
}

/// What was counted since.
fn since(now: Unwrapped, before: Unwrapped) -> Unwrapped {
    let mut counted = now;
    for (now, before) in counted.unwrapped.iter_mut().zip(before.unwrapped) {
        now.packets -= before.packets;
        now.bytes -= before.bytes;
    }
    for (now, before) in counted.refused.iter_mut().zip(before.refused) {
        *now -= before;
    }
    counted
}

#[test]
fn every_packet_of_the_table_comes_to_what_is_expected() {
    in_lab(|lab| {
        let _receiving = receive();
        for strict in [false, true] {
            let decap = load(strict);
            assert_all_hold(decap_cases().iter().map(|case| {
                let before = decap.counters().unwrap();
                let (action, packet) = run(&decap, lab, &case.packet)?;
                case.check(strict, action, &packet, &since(decap.counters().unwrap(), before))
            }));
        }
    });
}

#[test]
fn generated_packets_fare_alike_in_the_kernel_and_on_the_host() {
    in_lab(|lab| {
        let _receiving = receive();
        let (decap, end) = (load(false), tunnel_end(false));
        let packets = SEEDS.iter().flat_map(|seed| {
            Tunnels::new(*seed).take(packets()).enumerate().map(move |(index, packet)| (seed, index, packet))
        });
        assert_all_hold(packets.map(|(seed, index, packet)| {
            let (expected_action, expected) = decapsulate_on_host(&packet, &end);
            let (action, left) = run(&decap, lab, &packet)?;
            let unlike = if action == expected_action as u32 {
                difference(&expected, &left)
            } else {
                Some(format!("action {action} in the kernel, {expected_action:?} on the host"))
            };
            unlike.map_or(Ok(()), |error| {
                Err(format!("seed {seed}, packet {index}: {error}\n{}", describe(&packet)))
            })
        }));
        assert_eq!(decap.counters().unwrap(), *end.counted.borrow());
    });
}

#[test]
fn the_program_is_small() {
    in_lab(|_| {
        let figures = load(true).info().unwrap();
        assert!(figures.verified_instructions.unwrap() < 20_000, "{figures:?}");
    });
}

#[test]
fn addresses_that_come_and_go_are_followed() {
    in_lab(|lab| {
        let _receiving = receive();
        let mut decap = load(false);
        let packet = &decap_cases()[0].packet;
        let unwrapped = |decap: &Decap| run(decap, lab, packet).unwrap().1.len() < packet.len();
        assert!(unwrapped(&decap));
        decap.set_local(&BTreeSet::new()).unwrap();
        assert!(!unwrapped(&decap));
        decap.set_local(&prefixes(&LOCAL).into_iter().collect()).unwrap();
        assert!(unwrapped(&decap));
    });
}

fn program_on(interface: &str) -> Option<(u32, Mode)> {
    Interface::named(interface).unwrap().xdp.map(|program| (program.id, program.mode))
}

#[test]
fn the_next_process_exchanges_the_program_and_detaching_takes_it_off() {
    in_lab(|lab| {
        let mut first = load(false);
        assert_eq!(first.attach(&lab.pins, "front", XdpMode::Auto).unwrap(), Mode::Native);
        let id = first.info().unwrap().id;
        drop(first);
        assert_eq!(program_on("front"), Some((id, Mode::Native)));
        let mut second = load(true);
        assert!(!second.is_attached("front").unwrap());
        second.attach(&lab.pins, "front", XdpMode::Auto).unwrap();
        assert!(second.is_attached("front").unwrap());
        assert_ne!(second.info().unwrap().id, id);
        drop(second);
        assert_eq!(detach(&lab.pins).unwrap().interfaces, ["front"]);
        assert!(!lab.pins.exist());
        assert_eq!(program_on("front"), None);
    });
}

#[test]
fn a_foreign_program_is_refused_by_name_and_left_there() {
    in_lab(|lab| {
        let _foreign = attach_pass("front").unwrap();
        let before = program_on("front");
        let error = load(false).attach(&lab.pins, "front", XdpMode::Auto).unwrap_err();
        assert!(matches!(&error, Error::Foreign { program, .. } if program == "lightpath_pass"), "{error}");
        assert_eq!(program_on("front"), before);
        assert!(!lab.pins.exist());
    });
}
