//! Both topologies carry traffic between their members by plain kernel routing, in both families.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use lightpath_lab::topology::{Host, OneArmed, TwoArmed, plan};
use lightpath_lab::{
    HttpConnection, HttpServer, IpNet, Load, Route, UdpFlow, http_get, serve_http, serve_udp_echo,
};

const SOON: Duration = Duration::from_secs(2);

fn http(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, 80)
}

/// One server on both families of each backend.
fn serve_all(backends: &[Host]) -> Vec<HttpServer> {
    let everywhere = SocketAddr::from(([0_u16; 8], 80));
    backends.iter().map(|backend| serve_http(&backend.ns, everywhere, backend.ns.name()).unwrap()).collect()
}

/// Every backend answers the client by HTTP, also a body of many full packets, and by UDP.
fn client_reaches_backends(client: &Host, backends: &[Host]) {
    let servers = serve_all(backends);
    for (backend, server) in backends.iter().zip(&servers) {
        for address in backend.address.each() {
            let from = client.address.each().into_iter().find(|from| from.is_ipv4() == address.is_ipv4());
            let answer = http_get(&client.ns, None, http(address), SOON).unwrap();
            assert_eq!(answer.backend, backend.ns.name());
            assert_eq!(answer.peer.map(|peer| peer.ip()), from, "the client's address arrives unchanged");

            let mut connection = HttpConnection::open(&client.ns, from, http(address), SOON).unwrap();
            let first = connection.get("/", SOON).unwrap();
            let large = connection.get("/bytes/1000000", SOON).unwrap();
            assert_eq!(large.body.len(), 1_000_000);
            assert_eq!(first.peer, large.peer, "one connection for both");

            let _echo = serve_udp_echo(&backend.ns, SocketAddr::new(address, 53), backend.ns.name()).unwrap();
            let mut flow = UdpFlow::open(&client.ns, from, SocketAddr::new(address, 53)).unwrap();
            for _ in 0..3 {
                assert_eq!(flow.ask(SOON).unwrap(), backend.ns.name());
            }
        }
        assert_eq!((server.connections(), server.requests()), (4, 6));
    }
}

#[test]
fn one_armed_client_reaches_backends() {
    let lab = OneArmed::new(3).unwrap();
    assert_eq!(lab.backends[2].address.v4.to_string(), "10.0.0.13");
    client_reaches_backends(&lab.client, &lab.backends);
}

#[test]
fn two_armed_client_reaches_backends() {
    let lab = TwoArmed::new(3).unwrap();
    client_reaches_backends(&lab.client, &lab.backends);
}

#[test]
fn one_armed_router_finds_vips_on_the_segment() {
    let lab = OneArmed::new(0).unwrap();
    let _server = serve_http(&lab.balancer.ns, SocketAddr::from(([0_u16; 8], 80)), "balancer").unwrap();
    for vip in plan::VIPS.host(10).each() {
        lab.balancer.ns.add_address("eth0", IpNet::from(vip)).unwrap();
        assert_eq!(http_get(&lab.client.ns, None, http(vip), SOON).unwrap().backend, "balancer");
    }
}

#[test]
fn two_armed_vips_reach_the_balancer() {
    let lab = TwoArmed::new(0).unwrap();
    let _server = serve_http(&lab.balancer.ns, SocketAddr::from(([0_u16; 8], 80)), "balancer").unwrap();
    for vip in plan::VIPS.host(10).each() {
        lab.balancer.ns.add_address("lo", IpNet::from(vip)).unwrap();
        assert_eq!(http_get(&lab.client.ns, None, http(vip), SOON).unwrap().backend, "balancer");
    }
}

#[test]
fn replies_from_a_backends_address_return_through_the_balancer() {
    let lab = OneArmed::new(1).unwrap();
    let _servers = serve_all(&lab.backends);
    lab.balancer.ns.link_down("eth0").unwrap();
    for address in lab.backends[0].address.each() {
        let error = http_get(&lab.client.ns, None, http(address), Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    }
}

#[test]
fn replies_from_a_vip_go_straight_to_the_router() {
    let lab = OneArmed::new(1).unwrap();
    let backend = &lab.backends[0];
    let _servers = serve_all(&lab.backends);
    lab.balancer.ns.link_down("eth0").unwrap();
    for (vip, address) in plan::VIPS.host(10).each().into_iter().zip(backend.address.each()) {
        backend.accept_vip(vip).unwrap();
        // What `dsr` does with the frame's MAC address, a route does for the test.
        lab.router.ns.add_route(&Route::to(IpNet::from(vip)).via(address)).unwrap();
        assert_eq!(http_get(&lab.client.ns, None, http(vip), SOON).unwrap().backend, "backend1");
    }
}

#[test]
fn a_backend_does_not_claim_the_vip_it_accepts() {
    let lab = OneArmed::new(1).unwrap();
    let _servers = serve_all(&lab.backends);
    for vip in plan::VIPS.host(10).each() {
        lab.backends[0].accept_vip(vip).unwrap();
        let error = http_get(&lab.client.ns, None, http(vip), Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    }
}

#[test]
fn a_stopped_server_refuses_and_breaks_off() {
    let lab = TwoArmed::new(1).unwrap();
    let address = http(lab.backends[0].address.v4.into());
    let server = serve_http(&lab.backends[0].ns, address, "backend1").unwrap();
    let mut open = HttpConnection::open(&lab.client.ns, None, address, SOON).unwrap();
    open.get("/", SOON).unwrap();
    drop(server);
    open.get("/", SOON).unwrap_err();
    let error = http_get(&lab.client.ns, None, address, SOON).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");

    let again = serve_http(&lab.backends[0].ns, address, "backend1").unwrap();
    http_get(&lab.client.ns, None, address, SOON).unwrap();
    assert_eq!(again.requests(), 1);
}

#[test]
fn a_taken_address_is_an_error_that_names_it() {
    let lab = TwoArmed::new(1).unwrap();
    let address = http(lab.backends[0].address.v4.into());
    let _first = serve_http(&lab.backends[0].ns, address, "first").unwrap();
    let error = serve_http(&lab.backends[0].ns, address, "second").unwrap_err().to_string();
    let expected = "backend1: cannot serve second on 10.0.0.11:80: Address already in use (os error 98)";
    assert_eq!(error, expected);
}

#[test]
fn a_udp_flow_tells_refused_from_lost() {
    let lab = TwoArmed::new(1).unwrap();
    let address = SocketAddr::new(lab.backends[0].address.v4.into(), 53);
    let mut flow = UdpFlow::open(&lab.client.ns, None, address).unwrap();
    assert_eq!(flow.ask(SOON).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    lab.backends[0].ns.link_down("eth0").unwrap();
    assert_eq!(flow.ask(Duration::from_millis(200)).unwrap_err().kind(), ErrorKind::TimedOut);
}

#[test]
fn two_thousand_requests_from_many_sources_take_seconds() {
    let lab = OneArmed::new(1).unwrap();
    let server =
        serve_http(&lab.backends[0].ns, http(lab.backends[0].address.v4.into()), "backend1").unwrap();
    let sources: Vec<IpAddr> = plan::MORE_CLIENTS.map(|host| plan::CLIENTS.host(host).v4.into()).collect();
    let load = Load {
        to: server.address(),
        sources: sources.clone(),
        requests: 2000,
        concurrency: 64,
        timeout: Duration::from_secs(5),
    };
    let start = Instant::now();
    let answers = load.run(&lab.client.ns).unwrap();
    let elapsed = start.elapsed();

    let mut per_source = vec![0; sources.len()];
    for answer in answers {
        let peer = answer.unwrap().peer.unwrap().ip();
        per_source[sources.iter().position(|source| *source == peer).unwrap()] += 1;
    }
    assert!(per_source.iter().all(|&count| count == 10), "{per_source:?}");
    assert_eq!((server.connections(), server.requests()), (2000, 2000));
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
}

#[test]
fn more_backends_than_addresses_are_refused() {
    let error = TwoArmed::new(241).unwrap_err().to_string();
    assert!(error.contains("241 backends were asked for; the service segment has room for 240"), "{error}");
}
