//! A program holds what its configuration needs and nothing else.

use std::fs;

use lightpath_abi::Features;
use lightpath_dataplane::{Dataplane, ProgramFigures, TestPacket};
use lightpath_testkit::cases::contents;
use lightpath_testkit::packet::tcp;
use lightpath_testkit::{Action, Contents, Setup, service};

use crate::lab::{Lab, in_lab, receive, spec};

/// IPv4 `nat` on one port, without tags: the least there is.
fn least(lab: &Lab) -> Setup {
    let web = service("web", "203.0.113.10", 80).backend("10.0.0.11:8080", lab.node.backend_hop());
    Setup::new().without_vlan().with(web)
}

#[test]
fn a_program_for_ipv4_leaves_ipv6_and_tagged_packets_alone() {
    in_lab(|lab| {
        let _receiving = receive();
        let mut contents = least(lab).contents();
        // The tables know the IPv6 VIP all the same.
        contents.image = with_ipv6(lab).image;
        let dataplane = lab.open(&contents);
        let actions = [
            (tcp("198.51.100.10:4000", "203.0.113.10:80"), Action::Redirect),
            (tcp("198.51.100.10:4000", "203.0.113.10:80").vlan(5), Action::Pass),
            (tcp("198.51.100.10:4000", "203.0.113.10:80").qinq(7, 8), Action::Pass),
            (tcp("[2001:db8:1::10]:4000", "[2001:db8:a::10]:80"), Action::Pass),
            (tcp("[fd00::11]:8080", "[2001:db8:1::10]:4000"), Action::Pass),
        ];
        for (packet, expected) in actions {
            let bytes = packet.build();
            let outcome = dataplane
                .test_run(TestPacket { bytes: &bytes, interface: lab.node.front, repeat: 1 })
                .unwrap();
            assert_eq!(outcome.action, expected as u32, "{packet:?}");
            assert_eq!(outcome.bytes == bytes, expected == Action::Pass, "{packet:?}");
        }
    });
}

fn with_ipv6(lab: &Lab) -> Contents {
    let web6 = service("web6", "2001:db8:a::10", 80).backend("[fd00::11]:8080", lab.node.backend_hop());
    least(lab).with(web6).contents()
}

#[test]
fn each_feature_that_is_off_makes_the_program_smaller() {
    in_lab(|lab| {
        let all = figures(lab, Features::ALL);
        let features = [
            Features::IPV4,
            Features::IPV6,
            Features::VLAN,
            Features::NAT,
            Features::PORT_RANGES,
            Features::STICKY,
            Features::IPIP,
            Features::GUE,
            Features::QUIC,
            Features::FULLNAT,
            Features::VLAN_ROUTES,
        ];
        for off in features {
            let less = figures(lab, Features(Features::ALL.0 & !off.0));
            assert_smaller(&less, &all, off.names().next().unwrap());
        }
        let least = figures(lab, Features::IPV4 | Features::NAT);
        assert_smaller(&least, &all, "all but IPv4 and nat");
        // What is not there need not be proved either.
        assert!(
            least.verified_instructions.unwrap() < all.verified_instructions.unwrap(),
            "{least:?}, {all:?}"
        );
    });
}

fn assert_smaller(less: &ProgramFigures, all: &ProgramFigures, without: &str) {
    let seen = format!("without {without}: {less:?}, with it: {all:?}");
    assert!(less.translated_bytes.unwrap() < all.translated_bytes.unwrap(), "{seen}");
    assert!(less.jited_bytes < all.jited_bytes, "{seen}");
}

fn figures(lab: &Lab, features: Features) -> ProgramFigures {
    let mut spec = spec(&contents(&lab.node));
    spec.features = features;
    if !features.has(Features::PORT_RANGES) {
        // A configuration without ranges has no prefixes; those of the table would be walked in vain.
        spec.port_prefixes = 0;
    }
    Dataplane::open(&lab.pins, &spec).unwrap().info().unwrap()
}

/// What the verifier walks decides how long a program takes to load and whether an older kernel, which prunes less, takes it.
#[test]
fn the_verifier_walks_few_instructions() {
    in_lab(|lab| {
        let one_service = figures(lab, Features::IPV4 | Features::VLAN | Features::NAT);
        // Linux 6.1, the oldest that is tested, prunes less.
        let limit = if is_older_than_6_12() { 30_000 } else { 20_000 };
        println!("one service: {one_service:?}");
        assert!(one_service.verified_instructions.unwrap() < limit, "{one_service:?}");
        let mut spec = spec(&contents(&lab.node));
        spec.features = Features::ALL;
        let all = Dataplane::open(&lab.pins, &spec).unwrap();
        let mut programs = vec![all.info().unwrap()];
        programs.extend(all.stages());
        assert_eq!(programs.len(), 7);
        for program in programs {
            assert!(program.verified_instructions.unwrap() < 500_000, "{program:?}");
        }
    });
}

fn is_older_than_6_12() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.trim().parse::<u32>().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap()) < (6, 12)
}
