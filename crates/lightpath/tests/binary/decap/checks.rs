//! Health checks through a tunnel: a backend that does not unwrap it is found out.

use super::Decap;
use crate::common::{Bed, Service, Tunnel, eventually, file, serve_pages};

const HEALTH: &str = "health = { type = \"http\", via = \"datapath\", interval = \"200ms\", timeout = \"200ms\", status = 200 }";

/// The service of a tunnel, by its place among all of them.
fn name(number: usize) -> String {
    format!("web-{number}")
}

#[test]
fn a_backend_that_does_not_unwrap_or_has_no_vip_is_down() {
    let mut bed = Bed::one_armed(1);
    let tunnels = Tunnel::all();
    let backend = bed.backends[0].clone();
    let service = |(number, tunnel): (usize, &Tunnel)| Service {
        forward: if tunnel.gue { "gue" } else { "ipip" },
        more: HEALTH,
        ..Service::web(&name(number), tunnel.vip, &[tunnel.outer.of(backend.address)])
    };
    let services: Vec<Service> = tunnels.iter().enumerate().map(service).collect();
    let _server = serve_pages(&backend.ns);
    // All but the last have their VIP, and none has its tunnel's end.
    let last = tunnels.len() - 1;
    for tunnel in &tunnels[..last] {
        backend.accept_vip(tunnel.vip).unwrap();
    }
    bed.balancer.start_with(&file(bed.interfaces, "", &services));
    let is = |number: usize, state: &str| bed.balancer.status().backend(&name(number), 0)["state"] == state;
    for (number, tunnel) in tunnels.iter().enumerate() {
        eventually("nobody unwraps", || is(number, "down"));
        let status = bed.balancer.status();
        let cause = status.backend(&name(number), 0)["cause"].as_str().unwrap();
        let format = if tunnel.gue { "gue" } else { "ipip" };
        assert!(
            cause.contains(&format!("the VIP {} on an interface, and take {format} tunnels", tunnel.vip)),
            "{cause}"
        );
    }

    let mut decap = Decap::new(&backend.ns, &bed.scratch);
    decap.start(&["--from", "10.0.0.2", "--from", "2001:db8:0:1::2"]);
    for number in 0..last {
        eventually("what is unwrapped is answered", || is(number, "up"));
    }
    assert!(is(last, "down"), "the tunnel is unwrapped, and there is no VIP in it");
    backend.accept_vip(tunnels[last].vip).unwrap();
    eventually("it is up with the VIP", || is(last, "up"));
    let report = decap.stop();
    let drops = report["drops"].as_object().unwrap();
    assert_eq!(
        drops.keys().collect::<Vec<_>>(),
        ["not-local"],
        "checks of the VIP that was not there: {report}"
    );
    eventually("it is down without the tunnel's end", || (0..=last).all(|number| is(number, "down")));
    bed.balancer.stop();
    bed.balancer.detach();
}
