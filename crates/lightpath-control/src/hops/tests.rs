use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use rtnetlink::packet_route::neighbour::NeighbourMessage;
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMetric, RouteType};
use tokio::sync::watch;

use super::events::{Event, Events};
use super::neighbours::Neighbours;
use super::{Hop, NextHop, Reason, Refusal, Watcher};
use crate::testnet::{End, FAR, NEAR, Net, eventually, gateway_route, with_net};

struct Watched {
    targets: watch::Sender<BTreeSet<IpAddr>>,
    hops: watch::Receiver<Arc<BTreeMap<IpAddr, Hop>>>,
}

/// Starts a watcher in the near namespace.
fn watch(addresses: &[&str]) -> Watched {
    let (targets, receiver) =
        watch::channel(addresses.iter().map(|address| address.parse().unwrap()).collect());
    let (sender, hops) = watch::channel(Arc::default());
    let watcher = Watcher::open().unwrap();
    tokio::spawn(async move { watcher.run(receiver, sender).await.unwrap() });
    Watched { targets, hops }
}

impl Watched {
    async fn until(&mut self, target: &str, what: &str, wanted: impl Fn(&Hop) -> bool) -> Hop {
        let address: IpAddr = target.parse().unwrap();
        let mut hop = None;
        let found = self.hops.wait_for(|hops| {
            hop = hops.get(&address).cloned();
            hop.as_ref().is_some_and(&wanted)
        });
        let in_time = tokio::time::timeout(Duration::from_secs(10), found).await.is_ok();
        assert!(in_time, "{target}: wanted {what} within 10 s, is {hop:?}");
        hop.unwrap()
    }

    async fn until_mac(&mut self, target: &str, mac: [u8; 6]) -> NextHop {
        let wanted = |hop: &Hop| matches!(hop, Hop::Resolved(next) if next.mac == mac);
        let Hop::Resolved(next) = self.until(target, &format!("{mac:02x?}"), wanted).await else {
            unreachable!()
        };
        next
    }

    async fn until_reason(&mut self, target: &str, reason: Reason) {
        let wanted = Hop::Unresolved(reason);
        self.until(target, &format!("{wanted:?}"), |hop| *hop == wanted).await;
    }
}

/// Both ends in 10.0.0.0/24 and 2001:db8::/64; .1 is near, .2 and .3 are far.
async fn address(net: &Net) {
    net.near.add_address(NEAR, "10.0.0.1/24").await;
    net.near.add_address(NEAR, "2001:db8::1/64").await;
    for address in ["10.0.0.2/24", "10.0.0.3/24", "2001:db8::2/64", "2001:db8::3/64"] {
        net.far.add_address(FAR, address).await;
    }
}

async fn mac(end: &End, name: &str) -> [u8; 6] {
    end.link(name).await.mac.unwrap()
}

async fn managed(end: &End, address: &str) -> bool {
    let messages: Vec<NeighbourMessage> =
        end.handle.neighbours().get().execute().try_collect().await.unwrap();
    let key = (end.link(NEAR).await.index, address.parse().unwrap());
    Neighbours::new(&messages).find(key).is_some_and(|neighbour| neighbour.managed)
}

fn no_answer(address: &str) -> Reason {
    Reason::NoAnswer { address: address.parse().unwrap(), interface: NEAR.to_owned() }
}

#[test]
fn a_neighbour_on_the_link_is_resolved_in_both_families() {
    with_net(async |net| {
        address(&net).await;
        let mut watched = watch(&["10.0.0.2", "2001:db8::2"]);
        let far_mac = mac(&net.far, FAR).await;
        let near = net.near.link(NEAR).await;
        let expected = NextHop {
            interface: near.index,
            interface_name: NEAR.to_owned(),
            source_mac: near.mac.unwrap(),
            mac: far_mac,
            vlan: None,
            mtu: 1500,
            source: None,
        };
        for (target, source) in [("10.0.0.2", "10.0.0.1"), ("2001:db8::2", "2001:db8::1")] {
            let expected = NextHop { source: Some(source.parse().unwrap()), ..expected.clone() };
            assert_eq!(watched.until_mac(target, far_mac).await, expected);
        }
    });
}

#[test]
fn a_target_behind_a_gateway_has_the_gateways_mac() {
    with_net(async |net| {
        address(&net).await;
        net.near.add_route("192.0.2.0/24", "10.0.0.2").await;
        net.near.add_route("2001:db8:ffff::/48", "2001:db8::2").await;
        let mut watched = watch(&["192.0.2.7", "2001:db8:ffff::7"]);
        let far_mac = mac(&net.far, FAR).await;
        watched.until_mac("192.0.2.7", far_mac).await;
        watched.until_mac("2001:db8:ffff::7", far_mac).await;
    });
}

#[test]
fn the_mtu_is_the_least_of_the_interfaces_and_the_routes_and_the_source_that_of_the_route() {
    with_net(async |net| {
        address(&net).await;
        net.near.add_address(NEAR, "10.0.0.9/32").await;
        for (to, gateway, mtu) in [("192.0.2.0/24", "10.0.0.2", 1400), ("198.51.100.0/24", "10.0.0.2", 9000)]
        {
            let mut route = gateway_route(to, gateway);
            route.attributes.push(RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)]));
            let source = RouteAddress::Inet("10.0.0.9".parse().unwrap());
            route.attributes.push(RouteAttribute::PrefSource(source));
            net.near.handle.route().add(route).execute().await.unwrap();
        }
        let mut watched = watch(&["192.0.2.7", "198.51.100.7"]);
        let far_mac = mac(&net.far, FAR).await;
        for (target, mtu) in [("192.0.2.7", 1400), ("198.51.100.7", 1500)] {
            let next = watched.until_mac(target, far_mac).await;
            assert_eq!((next.mtu, next.source), (mtu, Some("10.0.0.9".parse().unwrap())), "{target}");
        }
    });
}

#[test]
fn a_changed_mac_of_the_far_end_is_followed() {
    with_net(async |net| {
        address(&net).await;
        let mut watched = watch(&["10.0.0.2", "2001:db8::2"]);
        let first = mac(&net.far, FAR).await;
        watched.until_mac("10.0.0.2", first).await;
        watched.until_mac("2001:db8::2", first).await;
        // What a host does after taking over an address: it announces it with its own MAC.
        let second = [0x02, 0, 0, 0, 0, 0x42];
        net.far.enter(|| std::fs::write(format!("/proc/sys/net/ipv4/conf/{FAR}/arp_notify"), "1").unwrap());
        net.far.enter(|| std::fs::write(format!("/proc/sys/net/ipv6/conf/{FAR}/ndisc_notify"), "1").unwrap());
        net.far.set_mac(FAR, second).await;
        watched.until_mac("10.0.0.2", second).await;
        watched.until_mac("2001:db8::2", second).await;
    });
}

#[test]
fn a_changed_route_is_followed() {
    with_net(async |net| {
        address(&net).await;
        net.near.add_pair("other0", "other1").await;
        net.near.add_address("other0", "10.9.0.1/24").await;
        let mut watched = watch(&["192.0.2.7", "2001:db8:ffff::7"]);
        watched.until_reason("192.0.2.7", Reason::NoRoute).await;
        watched.until_reason("2001:db8:ffff::7", Reason::NoRoute).await;
        // Let notifications of what was laid out pass: from here on only those of the changes count.
        tokio::time::sleep(Duration::from_millis(500)).await;
        net.near.add_route("2001:db8:ffff::/48", "2001:db8::2").await;
        watched.until_mac("2001:db8:ffff::7", mac(&net.far, FAR).await).await;
        net.near.add_route("192.0.2.0/24", "10.0.0.2").await;
        watched.until_mac("192.0.2.7", mac(&net.far, FAR).await).await;
        net.near.add_route("192.0.2.0/24", "10.9.0.2").await;
        let gateway =
            Reason::NoAnswer { address: "10.9.0.2".parse().unwrap(), interface: "other0".to_owned() };
        watched.until_reason("192.0.2.7", gateway).await;
        net.near.remove_route("192.0.2.0/24", "10.9.0.2").await;
        watched.until_reason("192.0.2.7", Reason::NoRoute).await;
    });
}

#[test]
fn a_link_without_carrier_or_taken_down_is_named_and_comes_back() {
    with_net(async |net| {
        address(&net).await;
        let mut watched = watch(&["10.0.0.2"]);
        let far_mac = mac(&net.far, FAR).await;
        let down = Reason::LinkDown { interface: NEAR.to_owned() };
        watched.until_mac("10.0.0.2", far_mac).await;
        net.far.down(FAR).await;
        watched.until_reason("10.0.0.2", down.clone()).await;
        net.far.up(FAR).await;
        watched.until_mac("10.0.0.2", far_mac).await;
        net.near.down(NEAR).await;
        watched.until_reason("10.0.0.2", down).await;
        net.near.up(NEAR).await;
        watched.until_mac("10.0.0.2", far_mac).await;
    });
}

#[test]
fn a_backend_that_does_not_answer_is_reported_and_found_when_it_appears() {
    with_net(async |net| {
        address(&net).await;
        let mut watched = watch(&["10.0.0.77", "2001:db8::77"]);
        watched.until_reason("10.0.0.77", no_answer("10.0.0.77")).await;
        watched.until_reason("2001:db8::77", no_answer("2001:db8::77")).await;
        net.far.add_address(FAR, "10.0.0.77/24").await;
        net.far.add_address(FAR, "2001:db8::77/64").await;
        let far_mac = mac(&net.far, FAR).await;
        watched.until_mac("10.0.0.77", far_mac).await;
        watched.until_mac("2001:db8::77", far_mac).await;
    });
}

#[test]
fn routes_that_lead_to_no_other_host_are_told_apart() {
    with_net(async |net| {
        address(&net).await;
        let rows = [
            ("10.0.0.1", Refusal::Local),
            ("2001:db8::1", Refusal::Local),
            ("10.0.0.255", Refusal::NotUnicast),
            ("192.0.2.1", Refusal::Blackhole),
            ("192.0.2.2", Refusal::Unreachable),
            ("192.0.2.3", Refusal::Prohibit),
            ("2001:db8:ffff::1", Refusal::Blackhole),
            ("2001:db8:ffff::2", Refusal::Unreachable),
            ("2001:db8:ffff::3", Refusal::Prohibit),
        ];
        for (target, refusal) in rows {
            let kind = match refusal {
                Refusal::Blackhole => RouteType::BlackHole,
                Refusal::Unreachable => RouteType::Unreachable,
                Refusal::Prohibit => RouteType::Prohibit,
                _ => continue,
            };
            let bits = if target.contains(':') { 128 } else { 32 };
            net.near.add_dead_route(&format!("{target}/{bits}"), kind).await;
        }
        let mut watched = watch(&rows.map(|(target, _)| target));
        for (target, refusal) in rows {
            watched.until_reason(target, Reason::Refused(refusal)).await;
        }
        watched.targets.send_modify(|targets| targets.extend(["10.0.0.2".parse::<IpAddr>().unwrap()]));
        watched.until_mac("10.0.0.2", mac(&net.far, FAR).await).await;
    });
}

#[test]
fn the_kernel_keeps_neighbours_until_they_are_no_longer_wanted_or_beyond_the_watcher() {
    with_net(async |net| {
        address(&net).await;
        let mut watched = watch(&["10.0.0.2", "10.0.0.3"]);
        let far_mac = mac(&net.far, FAR).await;
        watched.until_mac("10.0.0.2", far_mac).await;
        watched.until_mac("10.0.0.3", far_mac).await;
        assert!(managed(&net.near, "10.0.0.2").await && managed(&net.near, "10.0.0.3").await);
        watched
            .targets
            .send_modify(|targets| targets.retain(|target| *target != "10.0.0.3".parse::<IpAddr>().unwrap()));
        eventually("10.0.0.3 is released", 5, async || (!managed(&net.near, "10.0.0.3").await).then_some(()))
            .await;
        drop(watched);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(managed(&net.near, "10.0.0.2").await);
    });
}

#[test]
fn a_permanent_neighbour_of_the_operator_is_used_and_left_permanent() {
    with_net(async |net| {
        address(&net).await;
        let index = net.near.link(NEAR).await.index;
        let fixed = [0x02, 0, 0, 0, 0, 0x99];
        let entry =
            net.near.handle.neighbours().add(index, "10.0.0.50".parse().unwrap()).link_layer_address(&fixed);
        entry.execute().await.unwrap();
        let mut watched = watch(&["10.0.0.50"]);
        watched.until_mac("10.0.0.50", fixed).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!managed(&net.near, "10.0.0.50").await);
    });
}

#[test]
fn more_silent_targets_than_a_neighbour_table_holds_do_not_keep_out_the_one_that_answers() {
    with_net(async |net| {
        net.near.add_address(NEAR, "10.0.0.1/16").await;
        net.far.add_address(FAR, "10.0.255.2/16").await;
        let silent = (0..8).flat_map(|third| (2..252).map(move |last| format!("10.0.{third}.{last}")));
        let all: Vec<String> = silent.chain(["10.0.255.2".to_owned()]).collect();
        let mut watched = watch(&all.iter().map(String::as_str).collect::<Vec<_>>());
        let started = Instant::now();
        watched.until_mac("10.0.255.2", mac(&net.far, FAR).await).await;
        // Neighbours refused for want of room would be asked for again after 5 s, when others have failed.
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        assert_eq!(watched.hops.borrow().len(), 2001);
    });
}

#[test]
fn notifications_lost_to_a_full_socket_buffer_are_noticed_and_later_ones_come() {
    with_net(async |net| {
        address(&net).await;
        let mut events = Events::subscribe(1).unwrap();
        for _ in 0..20 {
            net.near.add_route("192.0.2.0/24", "10.0.0.2").await;
            net.near.remove_route("192.0.2.0/24", "10.0.0.2").await;
        }
        let mut lost = false;
        let all_read = async {
            loop {
                lost |= events.next().await.unwrap().iter().any(|event| matches!(event, Event::Lost));
            }
        };
        assert!(tokio::time::timeout(Duration::from_millis(200), all_read).await.is_err());
        assert!(lost);
        net.near.add_route("198.51.100.0/24", "10.0.0.2").await;
        let next = tokio::time::timeout(Duration::from_secs(5), events.next()).await.unwrap().unwrap();
        assert!(
            matches!(&next[..], [Event::Route(prefix, 24)] if prefix.to_string() == "198.51.100.0"),
            "{next:?}"
        );
    });
}
