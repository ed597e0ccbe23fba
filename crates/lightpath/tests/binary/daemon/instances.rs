//! One daemon an instance, and several instances on a host.

use std::net::SocketAddr;

use lightpath_dataplane::attach_pass;
use lightpath_lab::topology::plan;
use lightpath_lab::{http_get, veth};

use crate::common::{Balancer, Bed, Family, Output, PATIENCE, Service, file, number};

use super::{answers, serve_pages, web_file};

#[test]
fn a_second_daemon_is_refused() {
    let mut bed = Bed::one_armed(1);
    let _servers = serve_pages(&bed);
    bed.balancer.start_with(&web_file(&bed));
    let second = Output::of(&mut bed.balancer.run_command());
    assert_eq!(second.code, Some(1), "{second:?}");
    let socket = bed.scratch.join("run/default.sock");
    let message = format!(
        "lightpath: a daemon of instance default is running already ({}); use another --instance\n",
        socket.display()
    );
    assert_eq!(second.stderr, message);
    // The first still answers.
    answers(&bed.client.ns, Family::V4.vip(10), 20);
    assert_eq!(bed.balancer.status().0["instance"], "default");
}

#[test]
fn two_instances_work_side_by_side() {
    let bed = Bed::one_armed(3);
    let _servers = serve_pages(&bed);
    let balancer = bed.balancer.ns.clone();
    // Each interface answers ARP for its own addresses only.
    balancer.sysctl("net.ipv4.conf.all.arp_ignore", "1").unwrap();
    veth((&balancer, "eth1"), (&bed.switch, "to-balancer1")).unwrap();
    bed.switch.add_bridge_port(lightpath_lab::topology::BRIDGE, "to-balancer1").unwrap();
    let _pass = bed.switch.run(|| attach_pass("to-balancer1")).unwrap().unwrap();
    balancer.add_addresses("eth1", &plan::SERVICE.interface(3)).unwrap();

    let mut one = Balancer::new(&balancer, &bed.scratch, "one");
    let mut two = Balancer::new(&balancer, &bed.scratch, "two");
    for (instance, interface, host) in [(&mut one, "eth0", 10), (&mut two, "eth1", 20)] {
        let vip = Family::V4.vip(host);
        bed.accept_vip(vip);
        let service = Service::web("web", vip, &bed.addresses(Family::V4));
        instance.start_with(&file(&[interface], "", &[Service { forward: "dsr", ..service }]));
    }

    for (instance, interface, host) in [(&one, "eth0", 10), (&two, "eth1", 20)] {
        assert_eq!(answers(&bed.client.ns, Family::V4.vip(host), 60).len(), 3);
        let status = instance.status();
        assert_eq!(status.0["interfaces"][0]["name"], interface, "{status:?}");
        assert!(number(&status.service("web")["packets"]) >= 300, "{status:?}");
    }

    // One goes, and the other does not notice.
    one.stop();
    assert_eq!(one.detach().stdout.lines().next(), Some("detached from eth0"));
    let to = |host| SocketAddr::new(Family::V4.vip(host), 80);
    assert_eq!(answers(&bed.client.ns, Family::V4.vip(20), 60).len(), 3);
    http_get(&bed.client.ns, None, to(10), PATIENCE / 30).unwrap_err();
}
