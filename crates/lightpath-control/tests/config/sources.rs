//! The addresses and ports of this node's own that packets to backends come from.

use lightpath_control::config::{MAX_SOURCE_PREFIXES, parse};
use lightpath_control::model::Config;

use super::{RIGHT, check, mistakes};

fn with_node(lines: &str) -> String {
    RIGHT.replace("interfaces = [\"eth0\"]", &format!("interfaces = [\"eth0\"]\n{lines}"))
}

#[test]
fn prefixes_and_addresses_may_be_written_in_both_families() {
    let text = with_node(
        "tunnel_sources = [\"10.64.0.0/16\", \"fd00:64::/64\"]\nsnat_addresses = [\"10.0.0.5\", \"fd00::5\", \"10.0.1.0/28\"]\n\
         snat_ports = \"1024-32767\"",
    );
    let Config { node, .. } = parse(&text, "f.toml").unwrap();
    let shown = |prefixes: &[ipnet::IpNet]| prefixes.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown(&node.tunnel_sources), ["10.64.0.0/16", "fd00:64::/64"]);
    assert_eq!(shown(&node.snat_addresses), ["10.0.0.5/32", "fd00::5/128", "10.0.1.0/28"]);
    assert_eq!(node.snat_ports, Some(1024..=32767));

    let Config { node, .. } =
        parse(&with_node("tunnel_sources = []\nsnat_ports = \"7-7\""), "f.toml").unwrap();
    assert_eq!((node.tunnel_sources, node.snat_ports), (vec![], Some(7..=7)));
    let Config { node, .. } = parse(RIGHT, "f.toml").unwrap();
    assert_eq!((node.tunnel_sources, node.snat_addresses, node.snat_ports), (vec![], vec![], None));
}

#[test]
fn a_prefix_is_one() {
    let list = r#"write a list of prefixes or addresses such as ["10.64.0.0/16", "fd00:64::/64"]"#;
    let rows = [
        ("\"10.64.0.0/33\"", format!("\"10.64.0.0/33\" is neither a prefix nor an address; {list}")),
        ("\"pool\"", format!("\"pool\" is neither a prefix nor an address; {list}")),
        ("7", format!("7 is an integer; {list}")),
        (
            "\"10.64.7.1/16\"",
            "\"10.64.7.1/16\" has bits beyond its first 16; write \"10.64.0.0/16\", or \"10.64.7.1\" for the one address"
                .to_owned(),
        ),
        (
            "\"fd00:64::1/64\"",
            "\"fd00:64::1/64\" has bits beyond its first 64; write \"fd00:64::/64\", or \"fd00:64::1\" for the one address"
                .to_owned(),
        ),
        ("\"0.0.0.0/0\"", format!("\"0.0.0.0/0\" is the unspecified address; {list}")),
        ("\"127.0.0.0/8\"", format!("\"127.0.0.0/8\" is a loopback address; {list}")),
        ("\"ff00::/8\"", format!("\"ff00::/8\" is a multicast address; {list}")),
        ("\"fe80::/64\"", format!("\"fe80::/64\" is a link-local address; {list}")),
        (
            "\"::ffff:10.0.0.0/104\"",
            "\"::ffff:10.0.0.0/104\" is IPv4-mapped IPv6; write it as IPv4: \"10.0.0.0\"".to_owned(),
        ),
    ];
    for (written, expected) in rows {
        let text = with_node(&format!("tunnel_sources = [{written}]"));
        assert_eq!(mistakes(&text), [format!("f.toml:3:19: node: tunnel_sources: {expected}")]);
    }
}

#[test]
fn prefixes_fit_each_other_and_the_services() {
    let interfaces = "interfaces = [\"eth0\"]";
    check(&[
        (
            interfaces,
            "interfaces = [\"eth0\"]\ntunnel_sources = \"10.64.0.0/16\"",
            &[
                r#"3:18: node: tunnel_sources: "10.64.0.0/16" is a string; write a list of prefixes or addresses such as ["10.64.0.0/16", "fd00:64::/64"]"#,
            ],
        ),
        (
            interfaces,
            "interfaces = [\"eth0\"]\ntunnel_sources = [\"10.64.0.0/16\", \"fd00::/64\", \"10.0.64.0/24\", \"10.64.7.0/24\"]",
            &["3:64: node: tunnel_sources: 10.64.7.0/24 overlaps 10.64.0.0/16; list each address once"],
        ),
        (
            interfaces,
            "interfaces = [\"eth0\"]\nsnat_addresses = [\"10.9.0.5\", \"10.9.0.5\"]",
            &["3:31: node: snat_addresses: 10.9.0.5 overlaps 10.9.0.5; list each address once"],
        ),
        (
            interfaces,
            "interfaces = [\"eth0\"]\ntunnel_sources = [\"10.0.0.0/24\", \"2001:db8:1::11\"]",
            &[
                r#"3:19: node: tunnel_sources: 10.0.0.0/24 contains 10.0.0.11, which is service "web" backend 1; write addresses that are this node's alone"#,
                r#"3:34: node: tunnel_sources: 2001:db8:1::11 is service "dns" backend 1; write addresses that are this node's alone"#,
            ],
        ),
        (
            interfaces,
            "interfaces = [\"eth0\"]\nsnat_addresses = [\"203.0.113.0/28\", \"2001:db8::53\"]",
            &[
                r#"3:19: node: snat_addresses: 203.0.113.0/28 contains 203.0.113.10, which is the VIP of service "web"; write addresses that are no VIP"#,
                r#"3:37: node: snat_addresses: 2001:db8::53 is the VIP of service "dns"; write addresses that are no VIP"#,
            ],
        ),
        (
            interfaces,
            "interfaces = [\"eth0\"]\nsnat_addresses = [\"10.9.0.0/23\", \"10.9.4.0/23\", \"10.9.6.0\"]",
            &[
                "3:49: node: snat_addresses: with 10.9.6.0 these are more than 1024 addresses; write fewer, or longer prefixes",
            ],
        ),
        (
            interfaces,
            "interfaces = [\"eth0\"]\nsnat_addresses = [\"fd00::/32\"]",
            &[
                "3:19: node: snat_addresses: with fd00::/32 these are more than 1024 addresses; write fewer, or longer prefixes",
            ],
        ),
    ]);
}

#[test]
fn there_are_not_more_prefixes_than_the_packet_path_has_room_for() {
    let list = |count: usize| {
        let prefixes = (0..count).map(|number| format!("\"10.64.{}.{}\"", number / 256, number % 256));
        with_node(&format!("tunnel_sources = [{}]", prefixes.collect::<Vec<_>>().join(", ")))
    };
    assert_eq!(mistakes(&list(MAX_SOURCE_PREFIXES)), [""; 0]);
    let mistakes = mistakes(&list(MAX_SOURCE_PREFIXES + 1));
    let expected = "node: tunnel_sources: 257 prefixes, and there can be 256; write fewer and shorter ones";
    assert!(mistakes.len() == 1 && mistakes[0].ends_with(expected), "{mistakes:?}");
}

#[test]
fn a_range_of_ports_is_one() {
    let help = "write a range of ports from 1 to 65535 such as \"1024-32767\"";
    let rows = [
        ("\"0-9\"", format!("\"0-9\" is not a range of ports; {help}")),
        ("\"1024\"", format!("\"1024\" is not a range of ports; {help}")),
        ("\"any\"", format!("\"any\" is not a range of ports; {help}")),
        ("1024", format!("1024 is an integer; {help}")),
        ("\"9-8\"", "\"9-8\" ends before it starts; write \"8-9\"".to_owned()),
    ];
    for (written, expected) in rows {
        let text = with_node(&format!("snat_ports = {written}"));
        assert_eq!(mistakes(&text), [format!("f.toml:3:14: node: snat_ports: {expected}")]);
    }
}
