use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::addresses::{all, reconcile};
use super::super::ledger::Address;
use super::super::{Error, undo};
use super::{ledger, names};
use crate::testnet::{NEAR, with_net};

fn vips(addresses: &[&str]) -> BTreeSet<IpAddr> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

fn on(interface: &str, address: &str) -> Address {
    Address { interface: interface.to_owned(), address: address.parse().unwrap() }
}

#[test]
fn vips_are_added_once_put_back_when_missing_and_removed_when_unwanted() {
    with_net(async |net| {
        let (_directory, mut ledger) = ledger();
        let interfaces = names(&[NEAR]);
        let wanted = vips(&["203.0.113.10", "2001:db8::10"]);
        let both = [on(NEAR, "203.0.113.10"), on(NEAR, "2001:db8::10")];
        assert_eq!(reconcile(&wanted, &interfaces, &mut ledger).await.unwrap(), both);
        assert_eq!(net.near.addresses(NEAR).await, ["2001:db8::10/128", "203.0.113.10/32"]);
        assert_eq!(reconcile(&wanted, &interfaces, &mut ledger).await.unwrap(), []);

        net.near.remove_address(NEAR, "203.0.113.10/32").await;
        net.near.remove_address(NEAR, "2001:db8::10/128").await;
        assert_eq!(reconcile(&wanted, &interfaces, &mut ledger).await.unwrap(), both);
        assert_eq!(ledger.addresses(), both);

        reconcile(&vips(&["2001:db8::10"]), &interfaces, &mut ledger).await.unwrap();
        assert_eq!(net.near.addresses(NEAR).await, ["2001:db8::10/128"]);
        assert_eq!(ledger.addresses(), [on(NEAR, "2001:db8::10")]);
    });
}

#[test]
fn an_address_of_the_operator_is_neither_recorded_nor_removed() {
    with_net(async |net| {
        let (_directory, mut ledger) = ledger();
        net.near.add_address(NEAR, "203.0.113.10/24").await;
        net.near.add_address("lo", "2001:db8::10/128").await;
        let wanted = vips(&["203.0.113.10", "2001:db8::10", "203.0.113.11"]);
        let added = reconcile(&wanted, &names(&[NEAR]), &mut ledger).await.unwrap();
        assert_eq!(added, [on(NEAR, "203.0.113.11")]);
        assert!(undo(&mut ledger).await.is_empty());
        assert_eq!(net.near.addresses(NEAR).await, ["203.0.113.10/24"]);
        assert!(net.near.addresses("lo").await.contains(&"2001:db8::10/128".to_owned()));
    });
}

#[test]
fn a_vip_goes_to_the_interface_in_its_network_else_to_the_first() {
    with_net(async |net| {
        let (_directory, mut ledger) = ledger();
        net.near.add_pair("other0", "other1").await;
        net.near.add_address("other0", "198.51.100.1/24").await;
        net.near.add_address("other0", "2001:db8:5::1/64").await;
        let wanted = vips(&["198.51.100.9", "203.0.113.9", "2001:db8:5::9", "2001:db8:6::9"]);
        let added = reconcile(&wanted, &names(&[NEAR, "other0"]), &mut ledger).await.unwrap();
        let expected = [
            on("other0", "198.51.100.9"),
            on(NEAR, "203.0.113.9"),
            on("other0", "2001:db8:5::9"),
            on(NEAR, "2001:db8:6::9"),
        ];
        assert_eq!(added, expected);
        // An interface that is no longer Lightpath's gives its VIPs to one that is.
        reconcile(&wanted, &names(&["other0"]), &mut ledger).await.unwrap();
        assert!(net.near.addresses(NEAR).await.is_empty());
        assert!(ledger.addresses().iter().all(|entry| entry.interface == "other0"));
    });
}

#[test]
fn a_vip_is_not_the_source_of_the_hosts_own_connections() {
    with_net(async |net| {
        let (_directory, mut ledger) = ledger();
        net.near.add_address(NEAR, "2001:db8::1/64").await;
        net.near.add_address(NEAR, "10.0.0.1/24").await;
        let wanted = vips(&["10.0.0.100", "2001:db8::2:100"]);
        reconcile(&wanted, &names(&[NEAR]), &mut ledger).await.unwrap();
        for (destination, source) in [("10.0.0.101:9", "10.0.0.1"), ("[2001:db8::2:101]:9", "2001:db8::1")] {
            let socket =
                std::net::UdpSocket::bind(if source.contains(':') { "[::]:0" } else { "0.0.0.0:0" }).unwrap();
            socket.connect(destination).unwrap();
            assert_eq!(socket.local_addr().unwrap().ip(), source.parse::<IpAddr>().unwrap());
        }
    });
}

#[test]
fn an_interface_that_does_not_exist_is_named_and_nothing_is_recorded() {
    with_net(async |_net| {
        let (_directory, mut ledger) = ledger();
        let error = reconcile(&vips(&["203.0.113.10"]), &names(&["eth7"]), &mut ledger).await.unwrap_err();
        assert!(matches!(&error, Error::NoInterface { interface } if interface == "eth7"), "{error}");
        assert!(ledger.addresses().is_empty());
    });
}

#[test]
fn undo_takes_back_what_was_recorded_and_perhaps_never_made() {
    with_net(async |net| {
        let (_directory, mut ledger) = ledger();
        reconcile(&vips(&["203.0.113.10", "2001:db8::10"]), &names(&[NEAR]), &mut ledger).await.unwrap();
        // A crash right after the record, and an interface removed since.
        ledger.record_addresses(&[on(NEAR, "203.0.113.11")]).unwrap();
        ledger.record_addresses(&[on("eth7", "203.0.113.12")]).unwrap();
        assert!(undo(&mut ledger).await.is_empty());
        assert!(net.near.addresses(NEAR).await.is_empty());
        assert!(ledger.addresses().is_empty());
    });
}

#[test]
fn every_address_of_the_host_is_listed_whoever_put_it_there() {
    with_net(async |net| {
        net.near.add_address(NEAR, "203.0.113.10/24").await;
        net.near.add_address("lo", "2001:db8::10/128").await;
        let listed = all().await.unwrap();
        for address in vips(&["203.0.113.10", "2001:db8::10", "127.0.0.1"]) {
            assert!(listed.contains(&address), "{address} in {listed:?}");
        }
        net.near.remove_address(NEAR, "203.0.113.10/24").await;
        assert!(!all().await.unwrap().contains(&"203.0.113.10".parse::<IpAddr>().unwrap()));
    });
}
