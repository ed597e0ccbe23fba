use std::net::IpAddr;
use std::time::Duration;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::neighbour::{NeighbourAttribute, NeighbourState};

use super::super::Error;
use super::super::announce::announce;
use super::names;
use super::wire::Wire;
use crate::testnet::{End, FAR, NEAR, eventually, with_net};

/// The MAC address the far end would send to.
async fn cached(far: &End, address: IpAddr) -> Option<Vec<u8>> {
    let messages: Vec<_> = far.handle.neighbours().get().execute().try_collect().await.unwrap();
    let wanted = NeighbourAttribute::Destination(match address {
        IpAddr::V4(address) => rtnetlink::packet_route::neighbour::NeighbourAddress::Inet(address),
        IpAddr::V6(address) => rtnetlink::packet_route::neighbour::NeighbourAddress::Inet6(address),
    });
    let message = messages.into_iter().find(|message| message.attributes.contains(&wanted))?;
    message.attributes.into_iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(mac) => Some(mac),
        _ => None,
    })
}

#[test]
fn neighbours_correct_their_caches() {
    with_net(async |net| {
        let vips: [IpAddr; 2] = ["203.0.113.10".parse().unwrap(), "2001:db8::10".parse().unwrap()];
        let index = net.far.link(FAR).await.index;
        for vip in vips {
            // As the far end knows it from the node that had the VIP before.
            let former = net.far.handle.neighbours().add(index, vip).state(NeighbourState::Stale);
            former.link_layer_address(&[2, 0, 0, 0, 0, 0x66]).execute().await.unwrap();
        }
        let mac = net.near.link(NEAR).await.mac.unwrap().to_vec();
        tokio::spawn(announce(&vips, &names(&["lo", NEAR])).unwrap());
        for vip in vips {
            eventually("the far end has the new MAC address", 5, async || {
                (cached(&net.far, vip).await.as_ref() == Some(&mac)).then_some(())
            })
            .await;
        }
    });
}

#[test]
fn announcements_are_sent_three_times_in_the_form_the_rfcs_give() {
    with_net(async |net| {
        let mac = net.near.link(NEAR).await.mac.unwrap();
        let wire = net.far.enter(|| Wire::open(FAR));
        let addresses = ["203.0.113.10".parse().unwrap(), "2001:db8::10".parse().unwrap()];
        tokio::spawn(announce(&addresses, &names(&[NEAR])).unwrap());
        let ipv6: std::net::Ipv6Addr = "2001:db8::10".parse().unwrap();
        let arp = |frame: &[u8]| frame[12..14] == [0x08, 0x06];
        // ICMPv6 type, and target: the kernel advertises its own link-local address.
        let na = |frame: &[u8]| {
            frame[12..14] == [0x86, 0xdd] && frame[54] == 136 && frame[62..78] == ipv6.octets()
        };
        let seen = wire.collect(Duration::from_millis(3500), |frame| arp(frame) || na(frame)).await;

        let requests: Vec<_> = seen.iter().filter(|frame| arp(frame)).collect();
        let ipv4 = [203, 0, 113, 10];
        let expected =
            [&[0xff; 6][..], &mac, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &mac, &ipv4, &[0; 6], &ipv4].concat();
        assert_eq!(requests, [&expected; 3]);

        let advertisements: Vec<_> = seen.iter().filter(|frame| na(frame)).collect();
        let checksum = &advertisements[0][56..58];
        let all_nodes = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let expected = [
            &[0x33, 0x33, 0, 0, 0, 1][..],
            &mac,
            &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255],
            &ipv6.octets(),
            &all_nodes,
            &[136, 0],
            checksum,
            &[0x20, 0, 0, 0],
            &ipv6.octets(),
            &[2, 1],
            &mac,
        ]
        .concat();
        assert_eq!(advertisements, [&expected; 3]);
    });
}

#[test]
fn an_interface_that_does_not_exist_is_named() {
    with_net(async |_net| {
        let Err(error) = announce(&["203.0.113.10".parse().unwrap()], &names(&["eth7"])) else { panic!() };
        assert!(matches!(&error, Error::NoInterface { interface } if interface == "eth7"), "{error}");
    });
}
