//! The program in the kernel does what the packet path does on the host, to the byte and to the counter.

use std::env;

use lightpath_core::host::{Counted, HostTables};
use lightpath_core::{Reason, ReplyKind};
use lightpath_dataplane::{Dataplane, TestPacket};
use lightpath_testkit::cases::{Case, assert_all_hold, cases, contents, run_on_host};
use lightpath_testkit::node::Node;
use lightpath_testkit::random::Packets;
use lightpath_testkit::{Contents, action, describe, difference};

use crate::lab::{in_lab, receive};
use crate::tally::Tally;

/// Generated packets for each seed, unless the environment says how many: an emulated machine takes twenty times as long.
const PACKETS: usize = 6500;
const PACKETS_VARIABLE: &str = "LIGHTPATH_GENERATED_PACKETS";
const SEEDS: [u64; 8] = [1, 2, 3, 5, 8, 13, 21, 34];

#[test]
fn every_packet_of_the_table_comes_to_what_is_expected_and_is_counted_as_on_the_host() {
    in_lab(|lab| {
        let _receiving = receive();
        let contents = contents(&lab.node);
        let mut dataplane = lab.open(&contents);
        let mut forwarding = true;
        assert_all_hold(cases(&lab.node).iter().map(|case| {
            if case.node.forwarding != forwarding {
                forwarding = case.node.forwarding;
                lab.set_forwarding(forwarding);
            }
            if !dataplane.sessions().unwrap().is_empty() {
                // Each row begins without any, as on the host.
                forget_sessions(&mut dataplane, &contents);
            }
            for packet in &case.before {
                let packet = TestPacket { bytes: packet, interface: case.ingress, repeat: 1 };
                dataplane.test_run(packet).map_err(|error| format!("{}: {error}", case.what))?;
            }
            let before = Tally::of_kernel(&dataplane);
            check(case, &dataplane)?;
            let tables = contents.host_tables();
            for packet in &case.before {
                let _ = run_on_host(packet, &case.node, &tables);
            }
            tables.clear_counted();
            let _ = run_on_host(&case.packet, &case.node, &tables);
            agree(&Tally::of_kernel(&dataplane).since(&before), &Tally::of_host(&tables))
                .map_err(|error| format!("{}: {error}", case.what))
        }));
    });
}

/// Has every backend fail and recover at once.
fn forget_sessions(dataplane: &mut Dataplane, contents: &Contents) {
    let mut failed = contents.image.clone();
    for backend in failed.backends.values_mut() {
        backend.serving = 0;
    }
    dataplane.apply(&failed).unwrap();
    dataplane.apply(&contents.image).unwrap();
    assert_eq!(dataplane.sessions().unwrap(), [].into());
}

fn check(case: &Case, dataplane: &Dataplane) -> Result<(), String> {
    let outcome = dataplane
        .test_run(TestPacket { bytes: &case.packet, interface: case.ingress, repeat: 1 })
        .map_err(|error| format!("{}: {error}", case.what))?;
    case.check(outcome.action, &outcome.bytes)
}

fn agree(kernel: &Tally, host: &Tally) -> Result<(), String> {
    if kernel == host { Ok(()) } else { Err(format!("the kernel counted {kernel:?}, the host {host:?}")) }
}

#[test]
fn generated_packets_fare_alike_in_the_kernel_and_on_the_host() {
    in_lab(|lab| {
        let _receiving = receive();
        let contents = contents(&lab.node);
        // Time stands still on the host: each seed starts afresh, and is over before the kernel forgets a fragment or a session.
        let counted = SEEDS.map(|seed| {
            let dataplane = lab.open(&contents);
            let tables = contents.host_tables();
            assert_all_hold(Packets::new(seed).take(packets()).enumerate().map(|(index, packet)| {
                fares_alike(&packet, &lab.node, &dataplane, &tables)
                    .map_err(|error| format!("seed {seed}, packet {index}: {error}\n{}", describe(&packet)))
            }));
            assert_eq!(agree(&Tally::of_kernel(&dataplane), &Tally::of_host(&tables)), Ok(()));
            tables.counted()
        });
        assert_everything_happened(&counted);
    });
}

/// Generated packets for each seed.
pub(crate) fn packets() -> usize {
    env::var(PACKETS_VARIABLE).map_or(PACKETS, |number| number.parse().expect(PACKETS_VARIABLE))
}

/// On either interface, since a packet that leaves by the one it came on is transmitted, not redirected.
pub(crate) fn fares_alike(
    packet: &[u8],
    node: &Node,
    dataplane: &Dataplane,
    tables: &HostTables,
) -> Result<(), String> {
    for ingress in [node.front, node.back] {
        let outcome = dataplane
            .test_run(TestPacket { bytes: packet, interface: ingress, repeat: 1 })
            .map_err(|error| error.to_string())?;
        let (verdict, expected) = run_on_host(packet, node, tables);
        if outcome.action != action(verdict, ingress) as u32 {
            return Err(format!("action {} in the kernel, {verdict:?} on the host", outcome.action));
        }
        difference(&expected, &outcome.bytes).map_or(Ok(()), Err)?;
    }
    Ok(())
}

/// Agreement means something only where the packets got somewhere.
fn assert_everything_happened(counted: &[Counted]) {
    let backends = || counted.iter().flat_map(|counted| counted.backends.values());
    let forwarded: u64 = backends().map(|backend| backend.packets).sum();
    let replies: u64 = backends().map(|backend| backend.reply_packets).sum();
    let happened = |reason: &Reason| counted.iter().any(|counted| counted.reasons[*reason as usize] > 0);
    let kinds = Reason::ALL.iter().filter(|reason| happened(reason)).count();
    let answered = |kind: usize| counted.iter().map(|counted| counted.replies[kind]).sum::<u64>();
    assert!((0..ReplyKind::NAMES.len()).all(|kind| answered(kind) > 0), "{counted:?}");
    assert!(forwarded > 1000 && replies > 200 && kinds >= 11, "{counted:?}");
}
