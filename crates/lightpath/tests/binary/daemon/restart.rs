//! The data plane outlives its daemon, and the next daemon goes on with it.

use std::net::SocketAddr;

use crate::common::{
    Balancer, Bed, Family, Output, Service, Traffic, eventually, file, number, tcp_segments_sent,
};

use super::{serve_pages, web, web_file};

#[test]
fn sigterm_leaves_the_data_plane_forwarding_and_the_next_daemon_goes_on() {
    forwards_without_a_daemon(Balancer::stop);
}

#[test]
fn sigkill_leaves_the_data_plane_forwarding_and_the_next_daemon_goes_on() {
    forwards_without_a_daemon(Balancer::kill);
}

fn forwards_without_a_daemon(end: fn(&mut Balancer)) {
    let mut bed = Bed::one_armed(3);
    let _servers = serve_pages(&bed);
    bed.balancer.start_with(&web_file(&bed));
    let traffic = Traffic::start(&bed.client.ns, SocketAddr::new(Family::V4.vip(10), 80));
    traffic.goes_on_for(100);

    for _ in 0..3 {
        let before = packets(&bed);
        end(&mut bed.balancer);
        says_that_it_goes_on(&bed.balancer);
        traffic.goes_on_for(100);
        bed.balancer.start();
        assert!(packets(&bed) > before, "the counters go on");
        traffic.goes_on_for(100);
    }
    assert!(traffic.finish() >= 700);

    // The client talks to the VIP only: each segment that it ever sent was counted, whoever was there to read the counters. A link
    // may have lost some on the way, each of which made somebody send again.
    let sent = || tcp_segments_sent(&bed.client.ns).0;
    let sent_again = || -> u64 {
        let hosts = bed.backends.iter().map(|backend| &backend.ns).chain([&bed.client.ns]);
        hosts.map(|host| tcp_segments_sent(host).1).sum()
    };
    eventually("all segments are counted", || {
        sent().checked_sub(packets(&bed)).is_some_and(|lost| lost <= sent_again())
    });
    bed.balancer.stop();
    bed.balancer.detach();
}

fn says_that_it_goes_on(balancer: &Balancer) {
    let text = "the daemon of instance default is not running; its data plane goes on forwarding on eth0, without \
                following changes; start it with `lightpath run`";
    let status = balancer.ask(&["status"]);
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(status.stderr.starts_with(&format!("lightpath: {text}")), "{status:?}");
    let json = balancer.ask(&["status", "--json"]);
    assert_eq!(json.code, Some(1), "{json:?}");
    assert!(json.json()["error"].as_str().unwrap().starts_with(text), "{json:?}");
}

#[test]
fn a_restart_with_a_larger_file_fails_no_request() {
    let mut bed = Bed::one_armed(3);
    let _servers = serve_pages(&bed);
    bed.balancer.start_with(&web_file(&bed));
    let traffic = Traffic::start(&bed.client.ns, SocketAddr::new(Family::V4.vip(10), 80));
    traffic.goes_on_for(100);

    // More than the maps were made for: fresh ones are filled beside them and take their place.
    let backends = bed.addresses(Family::V4);
    let mut services = web(&bed).to_vec();
    services.extend((100..130).map(|host| Service {
        forward: "dsr",
        ..Service::web(&format!("more{host}"), Family::V4.vip(host), &backends)
    }));
    bed.balancer.stop();
    bed.balancer.start_with(&file(bed.interfaces, "", &services));
    assert_eq!(bed.balancer.status().0["services"].as_array().unwrap().len(), 32);
    traffic.goes_on_for(100);
    assert!(traffic.finish() >= 200);
}

fn packets(bed: &Bed) -> u64 {
    number(&bed.balancer.status().service("webV4")["packets"])
}

#[test]
fn a_start_that_fails_leaves_what_runs_and_the_next_one_takes_over() {
    let mut bed = Bed::one_armed(3);
    let _servers = serve_pages(&bed);
    bed.balancer.start_with(&web_file(&bed));
    let traffic = Traffic::start(&bed.client.ns, SocketAddr::new(Family::V4.vip(10), 80));
    traffic.goes_on_for(60);
    bed.balancer.stop();

    // A bridge has no native XDP, which shows only after eth0 has got the new program.
    bed.balancer.ns.add_bridge("br0").unwrap();
    bed.balancer.configure(&file(&["eth0", "br0"], "xdp_mode = \"native\"", &web(&bed)));
    for _ in 0..2 {
        let refused = Output::of(&mut bed.balancer.run_command());
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("lightpath: br0 cannot run XDP in its driver"), "{refused:?}");
        traffic.goes_on_for(60);
    }
    bed.balancer.start_with(&web_file(&bed));
    traffic.goes_on_for(60);
    assert!(traffic.finish() >= 240);
    assert_eq!(bed.balancer.status().0["interfaces"].as_array().unwrap().len(), 1);
}
