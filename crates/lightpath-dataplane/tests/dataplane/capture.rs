//! Copies of packets, and the program that makes them.

use lightpath_abi::{Address, CaptureFilter, Ending, MAX_SNAPLEN, Sample};
use lightpath_core::Reason;
use lightpath_dataplane::{Interface, Samples, TestPacket, XdpMode};
use lightpath_testkit::cases::{assert_all_hold, cases, contents};

use crate::lab::{in_lab, receive};

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;
const XDP_REDIRECT: u32 = 4;

/// Everything of every packet.
const ALL: CaptureFilter = CaptureFilter {
    client: Address { high: 0, low: 0 },
    client_mask: Address { high: 0, low: 0 },
    every: 1,
    snaplen: MAX_SNAPLEN,
    endings: 0,
    reasons: 0,
    service: 0,
    backend: 0,
    client_port: 0,
    reserved: 0,
};

struct Taken {
    sample: Sample,
    before: Vec<u8>,
    after: Vec<u8>,
}

fn take(samples: &mut Samples) -> Vec<Taken> {
    let mut taken = Vec::new();
    samples.take(|copied| {
        let (before, after) = (copied.before.to_vec(), copied.after.to_vec());
        taken.push(Taken { sample: copied.sample, before, after });
    });
    taken
}

#[test]
fn every_packet_of_the_table_is_copied_as_it_came_and_as_it_left() {
    in_lab(|lab| {
        let _receiving = receive();
        let mut dataplane = lab.open(&contents(&lab.node));
        let (capture, mut samples) = dataplane.begin_capture(&ALL).unwrap();
        assert_all_hold(cases(&lab.node).iter().filter(|case| case.node.forwarding).map(|case| {
            let packet = TestPacket { bytes: &case.packet, interface: case.ingress, repeat: 1 };
            let outcome = capture.test_run(packet).map_err(|error| format!("{}: {error}", case.what))?;
            let [taken] =
                take(&mut samples).try_into().map_err(|_| format!("{}: not one copy", case.what))?;
            let kept = case.packet.len().min(MAX_SNAPLEN as usize);
            let fits = match outcome.action {
                XDP_DROP => taken.sample.ending == Ending::Dropped as u8 && taken.sample.reason != 0,
                XDP_PASS => taken.after.is_empty() || taken.sample.egress == 0,
                XDP_TX | XDP_REDIRECT => taken.sample.ending >= Ending::ToBackend as u8,
                _ => false,
            };
            let left = taken.after.is_empty() || taken.after == outcome.bytes[..taken.after.len()];
            let lengths = (taken.sample.length, taken.sample.interface, taken.before.len());
            let expected = (case.packet.len().try_into().unwrap(), case.ingress, kept);
            (fits && left && lengths == expected && taken.before == case.packet[..kept])
                .then_some(())
                .ok_or_else(|| format!("{}: action {}, {:?}", case.what, outcome.action, taken.sample))
        }));
        assert_eq!(samples.lost().unwrap(), 0);
        dataplane.end_capture(capture).unwrap();
    });
}

#[test]
fn only_what_is_asked_for_is_copied() {
    in_lab(|lab| {
        let _receiving = receive();
        let mut dataplane = lab.open(&contents(&lab.node));
        let cases = cases(&lab.node);
        // All that is known of each packet, to count by.
        let mut run = |filter: &CaptureFilter| {
            let (capture, mut samples) = dataplane.begin_capture(filter).unwrap();
            for case in cases.iter().filter(|case| case.node.forwarding) {
                let packet = TestPacket { bytes: &case.packet, interface: case.ingress, repeat: 1 };
                capture.test_run(packet).unwrap();
            }
            let taken = take(&mut samples);
            dataplane.end_capture(capture).unwrap();
            taken
        };
        let all = run(&ALL);
        let count = |holds: &dyn Fn(&Sample) -> bool| all.iter().filter(|taken| holds(&taken.sample)).count();

        let dropped = run(&CaptureFilter { endings: 1 << Ending::Dropped as u8, ..ALL });
        assert!(dropped.iter().all(|taken| taken.sample.ending == Ending::Dropped as u8));
        // What was remembered of the first run may let some more pass.
        let (first, again) = (count(&|sample| sample.ending == Ending::Dropped as u8), dropped.len());
        assert!(again > 100 && again.abs_diff(first) < 20, "{first} dropped, then {again}");

        let expired = Reason::TtlExpired as u8;
        let reason = run(&CaptureFilter { reasons: 1 << expired, ..ALL });
        assert!(reason.iter().all(|taken| taken.sample.reason == expired + 1) && !reason.is_empty());

        let (service, backend) = all
            .iter()
            .find(|taken| taken.sample.ending == Ending::ToBackend as u8)
            .map(|taken| (taken.sample.service, taken.sample.backend))
            .unwrap();
        let of_service = run(&CaptureFilter { service, ..ALL });
        assert!(of_service.iter().all(|taken| taken.sample.service == service) && !of_service.is_empty());
        let of_backend = run(&CaptureFilter { backend, ..ALL });
        assert!(of_backend.iter().all(|taken| taken.sample.backend == backend) && !of_backend.is_empty());

        let third = run(&CaptureFilter { every: 3, snaplen: 60, ..ALL });
        assert_eq!(third.len(), all.len() / 3);
        assert!(third.iter().all(|taken| taken.before.len() <= 60 && taken.after.len() <= 60));
    });
}

#[test]
fn the_program_that_copies_stands_in_and_hands_back() {
    in_lab(|lab| {
        let mut dataplane = lab.open(&contents(&lab.node));
        dataplane.attach(&["front".into(), "back".into()], XdpMode::Native).unwrap();
        let id = |link| Interface::named(link).unwrap().xdp.unwrap().id;
        let usual = dataplane.info().unwrap().id;
        let (capture, _samples) = dataplane.begin_capture(&ALL).unwrap();
        assert_eq!(id("front"), id("back"));
        assert_ne!(id("front"), usual);
        dataplane.end_capture(capture).unwrap();
        assert_eq!((id("front"), id("back")), (usual, usual));
        assert!(lab.pins.unfinished().is_empty(), "{:?}", lab.pins.unfinished());

        // A process that ends meanwhile, and the next.
        let (capture, samples) = dataplane.begin_capture(&ALL).unwrap();
        drop((capture, samples, dataplane));
        assert_ne!(id("front"), usual);
        let mut dataplane = lab.open(&contents(&lab.node));
        dataplane.attach(&["front".into(), "back".into()], XdpMode::Native).unwrap();
        assert_eq!(id("front"), dataplane.info().unwrap().id);
        assert!(lab.pins.unfinished().is_empty(), "{:?}", lab.pins.unfinished());
    });
}
