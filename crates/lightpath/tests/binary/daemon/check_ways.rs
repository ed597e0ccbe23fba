//! Health checks through the data plane: what they find out, and what they leave.

use std::net::SocketAddr;

use lightpath_lab::serve_udp_echo;

use crate::common::{Bed, Family, HostState, Service, eventually, file, ip};

use super::{answers, serve_pages};

const THROUGH: &str = "health = { type = \"http\", via = \"datapath\", interval = \"200ms\", timeout = \"200ms\", status = 200 }";
const STRAIGHT: &str =
    "health = { type = \"http\", interval = \"200ms\", timeout = \"200ms\", status = 200 }";
const DATAGRAM: &str = "health = { type = \"udp\", via = \"datapath\", interval = \"200ms\", timeout = \"200ms\", send = \"who\" }";

/// A service by `dsr` for each family.
fn web(bed: &Bed, health: &'static str) -> Vec<Service> {
    let service = |family: Family| Service {
        forward: "dsr",
        more: health,
        ..Service::web(&format!("web{family:?}"), family.vip(10), &bed.addresses(family))
    };
    Family::BOTH.map(service).to_vec()
}

fn is(bed: &Bed, service: &str, backend: usize, state: &str) -> bool {
    bed.balancer.status().backend(service, backend)["state"] == state
}

#[test]
fn a_backend_without_the_vip_is_down_until_it_has_it() {
    let mut bed = Bed::one_armed(2);
    let _servers = serve_pages(&bed);
    for family in Family::BOTH {
        bed.backends[0].accept_vip(family.vip(10)).unwrap();
    }
    let before = HostState::of(&bed.balancer.ns);
    bed.balancer.start_with(&file(bed.interfaces, "", &web(&bed, THROUGH)));
    for (name, vip) in [("webV4", Family::V4.vip(10)), ("webV6", Family::V6.vip(10))] {
        eventually("the one with the VIP is up", || is(&bed, name, 0, "up"));
        eventually("the one without it is down", || is(&bed, name, 1, "down"));
        let status = bed.balancer.status();
        let cause = status.backend(name, 1)["cause"].as_str().unwrap();
        let hint = format!(
            "timed out after 200 ms through the data plane: does the backend have the VIP {vip} on an interface?"
        );
        assert_eq!(cause, hint);
        assert_eq!(answers(&bed.client.ns, vip, 50).len(), 1);
    }
    // Checks leave by a device of their own. Without it none is made, which is no fault of the backends, until it is back.
    let links = ip(&bed.balancer.ns, "-o link");
    let device = links.split([' ', '@']).find(|word| word.starts_with("lp-")).unwrap();
    ip(&bed.balancer.ns, &format!("link del {device}"));
    eventually("it is back", || bed.balancer.log().contains("was gone, and is back"));
    assert!(bed.balancer.log().contains("checks are left out"), "{}", bed.balancer.log());
    assert!(is(&bed, "webV4", 0, "up") && is(&bed, "webV6", 0, "up"));

    for family in Family::BOTH {
        bed.backends[1].accept_vip(family.vip(10)).unwrap();
    }
    for name in ["webV4", "webV6"] {
        eventually("the other one is up", || is(&bed, name, 1, "up"));
    }
    assert_eq!(answers(&bed.client.ns, Family::V4.vip(10), 100).len(), 2);

    bed.balancer.stop();
    bed.balancer.detach();
    before.is_back(&bed.balancer.ns);
    assert!(!ip(&bed.balancer.ns, "link").contains("lp-"));
    assert!(!ip(&bed.balancer.ns, "-6 rule").contains("lp-"));
}

#[test]
fn a_reload_changes_the_way_of_checks_and_removes_what_is_not_needed() {
    let mut bed = Bed::one_armed(1);
    let _servers = serve_pages(&bed);
    bed.balancer.start_with(&file(bed.interfaces, "", &web(&bed, STRAIGHT)));
    eventually("its own address answers", || is(&bed, "webV4", 0, "up"));
    for (health, state, devices) in [(THROUGH, "down", 2), (STRAIGHT, "up", 0)] {
        bed.balancer.configure(&file(bed.interfaces, "", &web(&bed, health)));
        assert_eq!(bed.balancer.ask(&["reload"]).code, Some(0));
        eventually("checks take the other way", || {
            is(&bed, "webV6", 0, state) && is(&bed, "webV4", 0, state)
        });
        assert_eq!(ip(&bed.balancer.ns, "-o link").matches(": lp-").count(), devices);
    }

    // Killed, it removes nothing; the next one begins anew.
    bed.balancer.configure(&file(bed.interfaces, "", &web(&bed, THROUGH)));
    assert_eq!(bed.balancer.ask(&["reload"]).code, Some(0));
    bed.balancer.kill();
    bed.accept_vip(Family::V4.vip(10));
    bed.accept_vip(Family::V6.vip(10));
    bed.balancer.start();
    for name in ["webV4", "webV6"] {
        eventually("it is up", || is(&bed, name, 0, "up"));
    }
    assert_eq!(ip(&bed.balancer.ns, "-6 rule").matches("lp-").count(), 1);
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn datagrams_go_through_the_data_plane_too() {
    let mut bed = Bed::one_armed(2);
    let mut servers = Vec::new();
    for vip in Family::BOTH.map(|family| family.vip(10)) {
        let backend = &bed.backends[0];
        backend.accept_vip(vip).unwrap();
        // On the VIP, so that answers come from it.
        servers.push(serve_udp_echo(&backend.ns, SocketAddr::new(vip, 53), backend.ns.name()).unwrap());
    }
    let services: Vec<Service> = web(&bed, DATAGRAM)
        .into_iter()
        .map(|service| Service { protocol: "udp", port: "53", ..service })
        .collect();
    bed.balancer.start_with(&file(bed.interfaces, "", &services));
    for name in ["webV4", "webV6"] {
        eventually("the one with the VIP is up", || is(&bed, name, 0, "up"));
        eventually("the one without it is down", || is(&bed, name, 1, "down"));
    }
    // What the backend's kernel says of a port that nobody has any more comes back as well.
    drop(servers);
    for name in ["webV4", "webV6"] {
        eventually("the port is said to be closed", || {
            bed.balancer.status().backend(name, 0)["cause"] == "port unreachable"
        });
    }
    bed.balancer.stop();
    bed.balancer.detach();
}
