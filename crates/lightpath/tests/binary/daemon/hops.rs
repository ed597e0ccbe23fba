//! Which backends take flows: those that can be reached and have a weight.

use std::net::SocketAddr;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use lightpath_lab::topology::Host;
use lightpath_lab::{IpNet, Route};

use crate::common::{Bed, Family, Follower, Held, Service, eventually, file, number, serve_lines};

use super::{answers, is_served, serve_pages, web_file};

#[test]
fn a_backend_joins_when_it_appears() {
    let mut bed = Bed::one_armed(2);
    let _servers = serve_pages(&bed);
    let vip = Family::V4.vip(10);
    let mut backends = bed.addresses(Family::V4);
    backends.push("10.0.0.99".parse().unwrap());
    bed.balancer.start_with(&file(bed.interfaces, "", &[Service::web("web", vip, &backends)]));

    let status = bed.balancer.status();
    let absent = status.backend("web", 2);
    assert_eq!(absent["state"], "unresolved", "{absent}");
    assert_eq!(absent["cause"], "no answer from 10.0.0.99 on eth0: is it up, and in the same network?");
    assert_eq!(absent["share"], 0.0, "{absent}");
    assert!(bed.balancer.log().contains("the backend takes no flows"), "it is in the log");
    let mut follower = Follower::of(&bed.balancer.socket(), "/v1/events", "");
    let lost = follower.event("next-hop-lost");
    assert_eq!((&lost["backend"], &lost["cause"]), (&"10.0.0.99:80".into(), &absent["cause"]), "{lost}");
    let text = bed.balancer.ask(&["status"]).stdout;
    let line = text.lines().find(|line| line.contains("10.0.0.99")).unwrap();
    assert!(line.contains("unresolved: no answer from 10.0.0.99 on eth0"), "{text}");
    assert_eq!(answers(&bed.client.ns, vip, 60).len(), 2);

    // The second backend answers for the address from now on.
    bed.backends[1].ns.add_address("eth0", IpNet::from(backends[2])).unwrap();
    eventually("the backend takes its share", || bed.balancer.status().backend("web", 2)["state"] == "up");
    assert_eq!(follower.event("next-hop-found")["backend"], "10.0.0.99:80");
    let status = bed.balancer.status();
    for index in 0..3 {
        let share = status.backend("web", index)["share"].as_f64().unwrap();
        assert!((share - 1.0 / 3.0).abs() < 0.01, "{status:?}");
    }
    answers(&bed.client.ns, vip, 60);
    assert!(number(&bed.balancer.status().backend("web", 2)["packets"]) > 0);
}

#[test]
fn a_service_without_a_reachable_backend_drops_and_says_so() {
    let mut bed = Bed::one_armed(0);
    let vip = Family::V4.vip(10);
    let absent = "10.0.0.99".parse().unwrap();
    let service = Service { more: "when_empty = \"drop\"", ..Service::web("web", vip, &[absent]) };
    bed.balancer.start_with(&file(bed.interfaces, "", &[service]));
    assert!(bed.balancer.log().contains("no backend takes flows; packets are dropped"));
    assert!(!is_served(&bed.client.ns, vip));
    let status = bed.balancer.status();
    assert!(number(&status.0["drops"]["no-backend"]) > 0, "{status:?}");
    assert!(number(&status.service("web")["dropped"]) > 0, "{status:?}");
}

#[test]
fn a_new_hardware_address_of_a_backend_is_followed() {
    let mut bed = Bed::one_armed(1);
    let _servers = serve_pages(&bed);
    bed.balancer.start_with(&web_file(&bed));
    let backend = &bed.backends[0].ns;
    // It tells its neighbours, as a virtual machine that moves does.
    backend.sysctl("net.ipv4.conf.eth0.arp_notify", "1").unwrap();
    backend.sysctl("net.ipv6.conf.eth0.ndisc_notify", "1").unwrap();
    for family in Family::BOTH {
        answers(&bed.client.ns, family.vip(10), 20);
    }
    backend.set_mac("eth0", [0x02, 0, 0, 0, 0, 0x77]).unwrap();
    for family in Family::BOTH {
        let vip = family.vip(10);
        eventually("requests arrive at the new address", || is_served(&bed.client.ns, vip));
        answers(&bed.client.ns, vip, 20);
    }
}

/// Two backends are routers of a network with the third one's other address in it, and take turns as its gateway.
#[test]
fn a_gateway_that_fails_over_is_followed() {
    let mut bed = Bed::one_armed(3);
    let _servers = serve_pages(&bed);
    let vip = Family::V4.vip(10);
    let far = "192.0.2.10".parse().unwrap();
    let gateway = IpNet::from_str("10.0.0.200/32").unwrap();
    bed.backends[2].ns.add_address("lo", IpNet::from(far)).unwrap();
    let through = |router: &Host| {
        let onward = Route::to(IpNet::from(far)).via(Family::V4.of(bed.backends[2].address));
        router.ns.add_route(&onward).unwrap();
    };
    for router in &bed.backends[..2] {
        router.ns.forward_packets().unwrap();
        // As VRRP has it, whoever takes over tells its neighbours.
        router.ns.sysctl("net.ipv4.conf.eth0.arp_notify", "1").unwrap();
        through(router);
    }
    bed.backends[0].ns.add_address("eth0", gateway).unwrap();
    bed.balancer.ns.add_route(&Route::to(IpNet::from(far)).via(gateway.addr())).unwrap();
    bed.balancer.start_with(&file(bed.interfaces, "", &[Service::web("web", vip, &[far])]));
    answers(&bed.client.ns, vip, 20);
    let forwarded = |router: &Host| router.ns.received("eth0").unwrap();

    bed.backends[0].ns.link_down("eth0").unwrap();
    let successor = &bed.backends[1];
    successor.ns.link_down("eth0").unwrap();
    successor.ns.add_address("eth0", gateway).unwrap();
    successor.ns.link_up("eth0").unwrap();
    through(successor);
    eventually("requests go through the other gateway", || is_served(&bed.client.ns, vip));
    let before = forwarded(successor);
    answers(&bed.client.ns, vip, 20);
    assert!(forwarded(successor) > before + 20);
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_link_that_flaps_is_followed_and_breaks_no_connection() {
    const PORT: u16 = 7000;
    let mut bed = Bed::one_armed(2);
    let _servers = serve_pages(&bed);
    for (backend, name) in bed.backends.iter().zip(["one", "two"]) {
        serve_lines(&backend.ns, SocketAddr::from(([0, 0, 0, 0], PORT)), name);
    }
    let addresses = bed.addresses(Family::V4);
    let mut services = ["web", "lines"].map(|name| Service::web(name, Family::V4.vip(10), &addresses));
    services[1].port = "7000";
    bed.balancer.start_with(&file(bed.interfaces, "", &services));
    let held = Held::open(&bed.client.ns, (Family::V4.vip(10), PORT), 50);
    let states = |bed: &Bed| {
        let status = bed.balancer.status();
        ["web", "lines"].map(|service| [0, 1].map(|index| status.backend(service, index)["state"] == "up"))
    };
    for pause in [0, 20, 50, 100, 300] {
        bed.switch.link_down("to-balancer").unwrap();
        thread::sleep(Duration::from_millis(pause));
        bed.switch.link_up("to-balancer").unwrap();
        thread::sleep(Duration::from_millis(pause));
    }
    bed.switch.link_down("to-balancer").unwrap();
    eventually("backends behind the link take no flows", || states(&bed) == [[false; 2]; 2]);
    bed.switch.link_up("to-balancer").unwrap();
    eventually("they take flows again", || states(&bed) == [[true; 2]; 2]);
    held.all_talk();
    eventually("new flows arrive", || is_served(&bed.client.ns, Family::V4.vip(10)));
    assert_eq!(answers(&bed.client.ns, Family::V4.vip(10), 60).len(), 2);
    assert_eq!(bed.balancer.status().0["interfaces"][0]["mode"], "native");
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_backend_of_weight_0_takes_no_flows() {
    let mut bed = Bed::one_armed(3);
    let _servers = serve_pages(&bed);
    let vip = Family::V4.vip(10);
    let mut service = Service::web("web", vip, &bed.addresses(Family::V4));
    service.backends[1].more = "weight = 0";
    bed.balancer.start_with(&file(bed.interfaces, "", &[service]));
    let answered = answers(&bed.client.ns, vip, 100);
    assert_eq!(answered.keys().collect::<Vec<_>>(), ["backend1", "backend3"]);
    let status = bed.balancer.status();
    let drained = status.backend("web", 1);
    assert_eq!((&drained["state"], &drained["share"]), (&"draining".into(), &0.0.into()), "{drained}");
    assert_eq!(number(&drained["packets"]), 0);
}
