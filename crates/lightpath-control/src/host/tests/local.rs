use std::net::Ipv4Addr;

use ipnet::IpNet;
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::route::{RouteScope, RouteType};

use super::super::local_prefixes;
use crate::testnet::{NEAR, eventually, with_net};

#[test]
fn what_is_delivered_here_is_local_and_nothing_else() {
    with_net(async |net| {
        net.near.add_address(NEAR, "10.0.0.11/24").await;
        net.near.add_address(NEAR, "2001:db8::11/64").await;
        let lo = net.near.link("lo").await.index;
        let any = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(Ipv4Addr::new(203, 0, 113, 0), 24)
            .output_interface(lo)
            .kind(RouteType::Local)
            .scope(RouteScope::Host)
            .table_id(255)
            .build();
        net.near.handle.route().add(any).execute().await.unwrap();
        let expected = ["10.0.0.11/32", "2001:db8::11/128", "203.0.113.0/24"];
        // The kernel works on an IPv6 address before it delivers to it.
        let local = eventually("every address is local", 5, async || {
            let local = local_prefixes().unwrap();
            expected.iter().all(|prefix| local.contains(&prefix.parse::<IpNet>().unwrap())).then_some(local)
        })
        .await;
        // Networks, broadcast, multicast and anycast addresses are not, nor is loopback.
        let link_local = |prefix: &&IpNet| !prefix.to_string().starts_with("fe80:");
        assert_eq!(local.iter().filter(link_local).count(), expected.len(), "{local:?}");
    });
}
