//! VIPs as addresses of the host.

use std::net::SocketAddr;
use std::time::Duration;

use lightpath_lab::UdpFlow;

use crate::common::{Bed, Family, eventually, file, ip, number};

use super::{serve_pages, web};

/// The VIPs among the host's addresses, as `ip -o addr` writes them.
fn vips(bed: &Bed) -> Vec<String> {
    let listed = ip(&bed.balancer.ns, "-o addr show dev eth0");
    let mut found: Vec<String> = listed
        .split_whitespace()
        .filter(|word| {
            Family::BOTH
                .iter()
                .any(|family| (10..12).any(|host| word.starts_with(&format!("{}/", family.vip(host)))))
        })
        .map(str::to_owned)
        .collect();
    found.sort();
    found
}

#[test]
fn vips_are_addresses_for_as_long_as_they_are_configured() {
    let mut bed = Bed::one_armed(1);
    let _servers = serve_pages(&bed);
    let both = web(&bed);
    let (v4, v6) = ("203.0.113.10/32", "2001:db8:0:f::10/128");

    bed.balancer.start_with(&file(bed.interfaces, "announce = \"address\"", &both));
    assert_eq!(vips(&bed), [v6, v4]);
    bed.balancer.stop();
    assert_eq!(vips(&bed), [v6, v4], "packets still come to the data plane");

    bed.balancer.start_with(&file(bed.interfaces, "", &both[..1]));
    assert_eq!(vips(&bed), [v6, v4], "flows of a service that is gone may live on");
    assert_eq!(bed.balancer.ask(&["reload", "--now"]).code, Some(0));
    assert_eq!(vips(&bed), [v4]);
    bed.balancer.stop();

    bed.balancer.start_with(&file(bed.interfaces, "announce = \"none\"", &both));
    assert_eq!(vips(&bed), [""; 0]);
}

#[test]
fn an_operators_own_address_is_left_alone() {
    let mut bed = Bed::one_armed(1);
    let both = web(&bed);
    bed.balancer.ns.add_address("eth0", both[0].vip.into()).unwrap();
    bed.balancer.start_with(&file(bed.interfaces, "", &both));
    bed.balancer.stop();
    bed.balancer.detach();
    assert_eq!(vips(&bed), ["203.0.113.10/32"]);
}

#[test]
fn a_vip_that_others_route_here_is_answered_for_once_it_is_an_address_of_the_host() {
    let mut bed = Bed::two_armed(1);
    let [service, _] = web(&bed);
    let vip = service.vip;
    bed.balancer.start_with(&file(bed.interfaces, "announce = \"none\"", &[service]));
    // To a port of the VIP that no service has.
    let ask = || {
        let mut flow = UdpFlow::open(&bed.client.ns, None, SocketAddr::new(vip, 9)).unwrap();
        flow.ask(Duration::from_millis(200)).unwrap_err().to_string()
    };
    let unanswered = || number(&bed.balancer.status().0["drops"]["no-service"]);
    eventually("nobody would answer, so it is dropped", || ask().contains("timed out") && unanswered() > 0);

    bed.balancer.ns.add_address("lo", vip.into()).unwrap();
    eventually("the host's kernel says that nothing is there", || ask().contains("refused"));
}
