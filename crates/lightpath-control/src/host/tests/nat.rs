use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use futures_util::TryStreamExt;
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::route::{RouteMessage, RouteProtocol};

use super::super::announce::{checksum, ethernet, icmpv6_to_all_nodes};
use super::super::ledger::Sysctl;
use super::super::{Error, prepare_for_nat, sysctl, undo};
use super::wire::Wire;
use super::{ledger, names};
use crate::testnet::{End, FAR, NEAR, eventually, with_net};

fn conf(family: &str, interface: &str, name: &str) -> String {
    format!("net/{family}/conf/{interface}/{name}")
}

/// All that may be changed, of every interface.
fn snapshot(interfaces: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for interface in interfaces.iter().chain(&["all", "default"]) {
        all.extend(["forwarding", "accept_local", "rp_filter"].map(|name| conf("ipv4", interface, name)));
        all.extend(["forwarding", "force_forwarding", "accept_ra"].map(|name| conf("ipv6", interface, name)));
    }
    all.into_iter()
        .filter(|path| sysctl::exists(path))
        .map(|path| format!("{path}={}", sysctl::read(&path).unwrap()))
        .collect()
}

#[test]
fn all_is_as_before_after_undo() {
    with_net(async |net| {
        let (_directory, mut ledger) = ledger();
        net.near.add_pair("other0", "other1").await;
        std::fs::write("/proc/sys/net/ipv4/conf/near0/rp_filter", "1").unwrap();
        let all = [NEAR, "other0", "other1", "lo"];
        let before = snapshot(&all);
        prepare_for_nat(&names(&[NEAR, "other0"]), true, true, &mut ledger).unwrap();
        let prepared = snapshot(&all);
        assert_ne!(before, prepared);
        assert!(prepared.contains(&"net/ipv4/conf/near0/rp_filter=2".to_owned()), "{prepared:?}");
        assert!(prepared.contains(&"net/ipv6/conf/other1/accept_ra=1".to_owned()), "{prepared:?}");
        let recorded = ledger.sysctls().to_vec();
        prepare_for_nat(&names(&[NEAR, "other0"]), true, true, &mut ledger).unwrap();
        assert_eq!(ledger.sysctls(), recorded);
        assert!(undo(&mut ledger).await.is_empty());
        assert_eq!(snapshot(&all), before);
        assert!(ledger.sysctls().is_empty());
    });
}

/// A reply as a backend sends it and the data plane hands it on: from the VIP, an address of this host.
fn reply(end_mac: [u8; 6], near_mac: [u8; 6], vip: IpAddr, client: IpAddr) -> Vec<u8> {
    const EXPERIMENT: u8 = 253;
    match (vip, client) {
        (IpAddr::V4(vip), IpAddr::V4(client)) => {
            let mut header = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, EXPERIMENT, 0, 0];
            header.extend(vip.octets());
            header.extend(client.octets());
            let sum = checksum(&header).to_be_bytes();
            header[10..12].copy_from_slice(&sum);
            [ethernet(near_mac, end_mac, 0x0800), header, b"returned".to_vec()].concat()
        }
        (IpAddr::V6(vip), IpAddr::V6(client)) => {
            let header =
                [&[0x60, 0, 0, 0, 0, 8, EXPERIMENT, 64][..], &vip.octets(), &client.octets()].concat();
            [ethernet(near_mac, end_mac, 0x86dd), header, b"returned".to_vec()].concat()
        }
        _ => panic!("families differ"),
    }
}

#[test]
fn the_kernel_forwards_replies_that_have_the_vip_as_their_source() {
    with_net(async |net| {
        let (_directory, mut ledger) = ledger();
        net.near.add_pair("other0", "other1").await;
        let rows: [(IpAddr, IpAddr); 2] = [
            ("10.0.0.100".parse().unwrap(), "10.9.0.2".parse().unwrap()),
            ("2001:db8::100".parse().unwrap(), "2001:db8:9::2".parse().unwrap()),
        ];
        for address in ["10.0.0.100/24", "2001:db8::100/64"] {
            net.near.add_address(NEAR, address).await;
        }
        for address in ["10.9.0.1/24", "2001:db8:9::1/64"] {
            net.near.add_address("other0", address).await;
        }
        let other = net.near.link("other0").await.index;
        for (_, client) in rows {
            let entry =
                net.near.handle.neighbours().add(other, client).link_layer_address(&[2, 0, 0, 0, 0, 9]);
            entry.execute().await.unwrap();
        }
        // A strict reverse path filter is what many distributions set.
        std::fs::write("/proc/sys/net/ipv4/conf/near0/rp_filter", "1").unwrap();
        let (far_mac, near_mac) = (mac(&net.far, FAR).await, mac(&net.near, NEAR).await);
        let far = net.far.enter(|| Wire::open(FAR));
        let client_side = Wire::open("other1");
        let passed = async || {
            for (vip, client) in rows {
                far.send(&reply(far_mac, near_mac, vip, client));
            }
            let seen =
                client_side.collect(Duration::from_millis(200), |frame| frame.ends_with(b"returned")).await;
            seen.iter().map(|frame| u16::from_be_bytes([frame[12], frame[13]])).collect::<Vec<_>>()
        };
        assert!(passed().await.is_empty());
        prepare_for_nat(&names(&[NEAR]), true, true, &mut ledger).unwrap();
        assert_eq!(passed().await, [0x0800, 0x86dd]);
    });
}

#[test]
fn default_routes_from_router_advertisements_survive_on_all_interfaces() {
    with_net(async |net| {
        let (_directory, mut ledger) = ledger();
        net.near.add_pair("other0", "other1").await;
        let router: Ipv6Addr = "fe80::99".parse().unwrap();
        // Router lifetime 1800 s (RFC 4861, section 4.2).
        let advertisement = vec![134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
        let frame = icmpv6_to_all_nodes([2, 0, 0, 0, 0, 0x99], router, advertisement);
        let wires = [net.far.enter(|| Wire::open(FAR)), Wire::open("other1")];
        eventually("default routes by both interfaces", 10, async || {
            for wire in &wires {
                wire.send(&frame);
            }
            (advertised_defaults(&net.near).await.len() == 2).then_some(())
        })
        .await;
        let before = advertised_defaults(&net.near).await;
        prepare_for_nat(&names(&[NEAR]), false, true, &mut ledger).unwrap();
        assert_eq!(advertised_defaults(&net.near).await, before);
        assert!(undo(&mut ledger).await.is_empty());
        assert_eq!(advertised_defaults(&net.near).await, before);
    });
}

#[test]
fn a_sysctl_changed_by_the_operator_since_is_left_and_one_that_fails_stays_recorded() {
    with_net(async |_net| {
        let (_directory, mut ledger) = ledger();
        let [kept, failing, gone] =
            ["forwarding", "accept_local", "nothing"].map(|name| conf("ipv4", NEAR, name));
        sysctl::set(&kept, "1", &mut ledger).unwrap();
        std::fs::write(format!("/proc/sys/{kept}"), "0").unwrap();
        sysctl::set(&kept, "1", &mut ledger).unwrap();
        std::fs::write(format!("/proc/sys/{kept}"), "2").unwrap();
        std::fs::write(format!("/proc/sys/{failing}"), "1").unwrap();
        let unusable = Sysctl { path: failing.clone(), previous: "many".to_owned(), set: "1".to_owned() };
        ledger.record_sysctl(unusable.clone()).unwrap();
        ledger.record_sysctl(Sysctl { path: gone, ..unusable.clone() }).unwrap();
        let failures = undo(&mut ledger).await;
        assert!(matches!(&failures[..], [Error::Sysctl { path, .. }] if *path == failing), "{failures:?}");
        assert_eq!(ledger.sysctls(), [unusable]);
        assert_eq!(sysctl::read(&kept).unwrap(), "2");
    });
}

async fn mac(end: &End, name: &str) -> [u8; 6] {
    end.link(name).await.mac.unwrap()
}

/// The interfaces of default routes learnt from router advertisements.
async fn advertised_defaults(end: &End) -> Vec<RouteMessage> {
    let query = RouteMessageBuilder::<Ipv6Addr>::new().build();
    let routes: Vec<RouteMessage> = end.handle.route().get(query).execute().try_collect().await.unwrap();
    routes
        .into_iter()
        .filter(|route| {
            route.header.destination_prefix_length == 0 && route.header.protocol == RouteProtocol::Ra
        })
        .map(|mut route| {
            // Only what stays the same: the remaining lifetime does not.
            route.attributes.retain(|attribute| {
                matches!(attribute, rtnetlink::packet_route::route::RouteAttribute::Oif(_))
            });
            route
        })
        .collect()
}
