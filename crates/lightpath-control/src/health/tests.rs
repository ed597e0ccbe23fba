//! What the network says of backends that cannot be reached, in namespaces.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use super::cause::{Cause, Unreachable};
use super::probe::Probe;
use super::tls::Connectors;
use crate::model::{Check, DnsCheck, Health, OnDown, Record, UdpCheck, Via};
use crate::testnet::{FAR, NEAR, Net, with_net};
use rtnetlink::packet_route::route::RouteType;

/// Longer than neighbours take that have to be asked twice, a second apart (RFC 4861, section 10).
const PATIENCE: Duration = Duration::from_secs(10);

async fn outcome(check: Check, address: &str) -> Result<(), Cause> {
    outcome_within(PATIENCE, check, address).await
}

async fn outcome_within(timeout: Duration, check: Check, address: &str) -> Result<(), Cause> {
    let health = Health {
        check,
        via: Via::Direct,
        port: None,
        interval: timeout,
        timeout,
        rise: 1,
        fall: 1,
        on_down: OnDown::Move,
        slow_start: Duration::ZERO,
        hold_down: Duration::ZERO,
        panic_threshold: 0,
    };
    let probe = Probe::new(&health, &mut Connectors::default()).unwrap();
    probe.run((address.parse::<IpAddr>().unwrap(), Some(53))).await
}

/// One of each way to send something.
fn checks() -> [Check; 4] {
    let dns = DnsCheck { name: "example.com".to_owned(), record: Record::A, expect: None };
    let udp = UdpCheck { send: b"ping".to_vec(), expect: None };
    [Check::Tcp, Check::Udp(udp), Check::Dns(dns), Check::Icmp]
}

/// The far end routes, and has no way to 192.0.2.0/24 and 2001:db8:2::/64.
async fn lay(net: &Net) {
    for (end, name, host) in [(&net.near, NEAR, 1), (&net.far, FAR, 2)] {
        end.add_address(name, &format!("10.0.0.{host}/24")).await;
        end.add_address(name, &format!("2001:db8:1::{host}/64")).await;
    }
    net.near.add_route("192.0.2.0/24", "10.0.0.2").await;
    net.near.add_route("2001:db8:2::/64", "2001:db8:1::2").await;
    net.far.add_dead_route("192.0.2.0/24", RouteType::Unreachable).await;
    net.far.add_dead_route("2001:db8:2::/64", RouteType::Unreachable).await;
    net.far.enter(|| {
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
    });
}

#[test]
fn what_a_router_says_of_a_host_it_cannot_reach_is_the_cause() {
    // For the same route Linux says "host unreachable" in ICMP and "no route to destination" in ICMPv6.
    for (address, said) in [("192.0.2.1", Unreachable::Host), ("2001:db8:2::1", Unreachable::Network)] {
        for check in checks() {
            // A network each: routers say so only so often to one host (RFC 1812, section 4.3.2.8).
            with_net(async move |net| {
                lay(&net).await;
                let name = check.name();
                let unreachable = Err(Cause::Unreachable(said));
                assert_eq!(outcome(check, address).await, unreachable, "{name} to {address}");
            });
        }
    }
}

#[test]
fn a_host_that_is_there_answers_echo_requests_and_one_that_is_not_times_out() {
    with_net(async |net| {
        lay(&net).await;
        for address in ["10.0.0.2", "2001:db8:1::2"] {
            assert_eq!(outcome(Check::Icmp, address).await, Ok(()), "{address}");
        }
        for check in checks() {
            let timeout = Duration::from_millis(300);
            let silent = outcome_within(timeout, check, "10.0.0.9").await;
            assert_eq!(silent, Err(Cause::TimedOut(timeout)));
        }
    });
}

#[test]
fn without_a_route_the_network_is_unreachable() {
    with_net(async |_net| {
        for check in checks() {
            let unreachable = Err(Cause::Unreachable(Unreachable::Network));
            assert_eq!(outcome(check, "198.51.100.1").await, unreachable);
        }
    });
}
