//! On to interfaces and off again.

use std::thread;
use std::time::{Duration, Instant};

use lightpath_dataplane::{Attachment, Dataplane, Error, Interface, Mode, XdpMode, attach_pass, detach};
use lightpath_lab::veth;
use lightpath_testkit::cases::contents;

use crate::lab::{Lab, in_lab};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn program_on(interface: &str) -> Option<(u32, Mode)> {
    Interface::named(interface).unwrap().xdp.map(|program| (program.id, program.mode))
}

/// The kernel takes a program off in the background once the last reference to its link is gone.
fn assert_let_go(interface: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while let Some(program) = program_on(interface) {
        assert!(Instant::now() < deadline, "{interface} still has program {program:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn open(lab: &Lab) -> Dataplane {
    lab.open(&contents(&lab.node))
}

#[test]
fn a_program_runs_where_it_is_attached_until_it_is_detached() {
    in_lab(|lab| {
        let mut dataplane = open(lab);
        let id = dataplane.info().unwrap().id;
        let attached = dataplane.attach(&names(&["front", "back"]), XdpMode::Native).unwrap();
        let native = |interface: &str| Attachment { interface: interface.into(), mode: Mode::Native };
        assert_eq!(attached, [native("front"), native("back")]);
        assert_eq!(lab.pins.linked_interfaces().unwrap(), ["back", "front"]);
        // It outlives the handle.
        drop(dataplane);
        for interface in ["front", "back"] {
            assert_eq!(program_on(interface), Some((id, Mode::Native)));
        }

        assert_eq!(detach(&lab.pins).unwrap().interfaces, ["back", "front"]);
        assert!(!lab.pins.exist());
        for interface in ["front", "back"] {
            assert_let_go(interface);
        }
        assert_eq!(detach(&lab.pins).unwrap().interfaces, Vec::<String>::new());
    });
}

#[test]
fn an_interface_that_is_not_named_any_more_is_let_go() {
    in_lab(|lab| {
        let mut dataplane = open(lab);
        dataplane.attach(&names(&["front", "back"]), XdpMode::Auto).unwrap();
        dataplane.attach(&names(&["back"]), XdpMode::Auto).unwrap();
        assert_let_go("front");
        assert!(program_on("back").is_some());
        assert_eq!(lab.pins.linked_interfaces().unwrap(), ["back"]);
    });
}

#[test]
fn the_generic_path_is_used_when_asked_for() {
    in_lab(|lab| {
        let mut dataplane = open(lab);
        let attached = dataplane.attach(&names(&["front"]), XdpMode::Generic).unwrap();
        assert_eq!(attached, [Attachment { interface: "front".into(), mode: Mode::Generic }]);
        assert_eq!(program_on("front"), Some((dataplane.info().unwrap().id, Mode::Generic)));
    });
}

#[test]
fn a_foreign_program_is_refused_by_name_and_left_there() {
    in_lab(|lab| {
        let _foreign = attach_pass("back").unwrap();
        let before = program_on("back");
        let mut dataplane = open(lab);
        let error = dataplane.attach(&names(&["front", "back"]), XdpMode::Auto).unwrap_err();
        let Error::Foreign { interface, program, id } = &error else { panic!("{error}") };
        assert_eq!((interface.as_str(), program.as_str()), ("back", "lightpath_pass"));
        assert_eq!(Some(*id), before.map(|(id, _)| id));
        assert!(error.to_string().contains("ip link set dev back xdp off"), "{error}");
        assert_eq!(program_on("back"), before);
        // All interfaces are looked at before the first is touched.
        assert_eq!(program_on("front"), None);
    });
}

#[test]
fn an_interface_that_does_not_exist_changes_nothing() {
    in_lab(|lab| {
        let mut dataplane = open(lab);
        let error = dataplane.attach(&names(&["front", "eth7"]), XdpMode::Auto).unwrap_err();
        assert!(matches!(&error, Error::NoInterface { name } if name == "eth7"), "{error}");
        assert_eq!(error.to_string(), "there is no interface eth7; `ip link` lists those of this host");
        assert_eq!(program_on("front"), None);
    });
}

#[test]
fn an_interface_named_like_a_vlan_can_be_attached_and_found_again() {
    in_lab(|lab| {
        veth((&lab.namespace, "eth0.5"), (&lab.namespace, "eth0.6")).unwrap();
        let mut dataplane = open(lab);
        dataplane.attach(&names(&["eth0.5"]), XdpMode::Native).unwrap();
        assert_eq!(lab.pins.linked_interfaces().unwrap(), ["eth0.5"]);
        // The pinned link is found, or the program that is there would be taken for a foreign one.
        let mut again = open(lab);
        again.attach(&names(&["eth0.5"]), XdpMode::Native).unwrap();
        assert_eq!(program_on("eth0.5"), Some((again.info().unwrap().id, Mode::Native)));
        assert_eq!(detach(&lab.pins).unwrap().interfaces, ["eth0.5"]);
        assert_let_go("eth0.5");
    });
}

#[test]
fn an_interface_that_was_made_anew_is_attached_again() {
    in_lab(|lab| {
        veth((&lab.namespace, "eth0"), (&lab.namespace, "eth1")).unwrap();
        let mut dataplane = open(lab);
        dataplane.attach(&names(&["eth0"]), XdpMode::Native).unwrap();
        let removed = lab.namespace.command("ip").args(["link", "del", "eth0"]).status().unwrap();
        assert!(removed.success());
        veth((&lab.namespace, "eth0"), (&lab.namespace, "eth1")).unwrap();
        dataplane.attach(&names(&["eth0"]), XdpMode::Native).unwrap();
        assert_eq!(program_on("eth0"), Some((dataplane.info().unwrap().id, Mode::Native)));
    });
}
