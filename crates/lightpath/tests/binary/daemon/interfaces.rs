//! Interfaces that go and come back.

use lightpath_dataplane::attach_pass;
use lightpath_lab::topology::{BRIDGE, plan};
use lightpath_lab::{Route, veth};

use crate::common::{Bed, Family, Follower, eventually, ip};

use super::{answers, is_served, serve_pages, web_file};

#[test]
fn an_interface_made_anew_is_attached_again() {
    let mut bed = Bed::one_armed(2);
    let _servers = serve_pages(&bed);
    let host = bed.balancer.ns.clone();
    let mac = host.mac("eth0").unwrap();
    bed.balancer.start_with(&web_file(&bed));
    let mode = |bed: &Bed| bed.balancer.status().0["interfaces"][0]["mode"].clone();
    assert_eq!(mode(&bed), "native");

    let mut follower = Follower::of(&bed.balancer.socket(), "/v1/events", "");
    ip(&host, "link del eth0");
    eventually("status says that the interface is missing", || mode(&bed) == "missing");
    assert!(bed.balancer.log().contains("the interface is gone, so its packets are not balanced"));
    let lost = follower.event("interface-lost");
    assert_eq!((&lost["interface"], &lost["severity"]), (&"eth0".into(), &"error".into()), "{lost}");
    let text = bed.balancer.ask(&["status"]).stdout;
    assert!(text.contains("on eth0 (missing)"), "{text}");

    // As a driver that is loaded again does: the same card, another index.
    veth((&host, "eth0"), (&bed.switch, "to-balancer")).unwrap();
    host.set_mac("eth0", mac).unwrap();
    bed.switch.add_bridge_port(BRIDGE, "to-balancer").unwrap();
    let _pass = bed.switch.run(|| attach_pass("to-balancer")).unwrap().unwrap();
    host.add_addresses("eth0", &plan::SERVICE.interface(plan::BALANCER)).unwrap();
    for via in plan::SERVICE.host(plan::ROUTER).each() {
        host.add_route(&Route::default_via(via)).unwrap();
    }
    eventually("status says that the interface is back", || mode(&bed) == "native");
    assert!(bed.balancer.log().contains("the interface is back and balanced again"));
    assert_eq!(follower.event("interface-returned")["interface"], "eth0");
    for family in Family::BOTH {
        eventually("pages are served again", || is_served(&bed.client.ns, family.vip(10)));
        answers(&bed.client.ns, family.vip(10), 40);
    }
}
