//! Values that are right by themselves and contradict one another.

use super::{RIGHT, check, mistakes};

/// The second service but for its name.
const DNS: &str = r#"vip = "2001:db8::53"
port = 53
protocol = "udp"
forward = "dsr"

[[service.backend]]
address = "2001:db8:1::11"
"#;

#[test]
fn services_do_not_overlap_unless_one_is_more_specific() {
    check(&[
        (
            DNS,
            "vip = \"203.0.113.10\"\nport = 443\nprotocol = \"tcp\"",
            &[
                r#"20:8: service "dns": port: tcp port 443 of 203.0.113.10 is taken by service "web", port 443 on line 7; give one of them other ports, another VIP or another protocol"#,
            ],
        ),
        (DNS, "vip = \"203.0.113.10\"\nport = 443\nprotocol = \"udp\"", &[]),
        (DNS, "vip = \"203.0.113.10\"\nport = \"400-499\"\nprotocol = \"tcp\"", &[]),
        (DNS, "vip = \"203.0.113.10\"\nport = \"any\"\nprotocol = \"tcp\"", &[]),
        (
            DNS,
            "vip = \"203.0.113.10\"\nport = \"400-499\"\nprotocol = \"tcp\"\n\n[[service]]\nname = \"more\"\nvip = \"203.0.113.10\"\nport = \"499-500\"\nprotocol = \"tcp\"",
            &[
                r#"26:8: service "more": port: tcp port 499-500 of 203.0.113.10 is taken by service "dns", port 400-499 on line 20; give one of them other ports, another VIP or another protocol"#,
            ],
        ),
        (
            DNS,
            "vip = \"203.0.113.10\"\nport = \"any\"\nprotocol = \"tcp\"\n\n[[service]]\nname = \"more\"\nvip = \"203.0.113.10\"\nport = \"any\"\nprotocol = \"tcp\"",
            &[
                r#"26:8: service "more": port: tcp port any of 203.0.113.10 is taken by service "dns", port any on line 20; give one of them other ports, another VIP or another protocol"#,
            ],
        ),
        (
            DNS,
            "vip = \"203.0.113.10\"\nport = \"any\"\nprotocol = \"tcp\"\n\n[[service]]\nname = \"more\"\nvip = \"203.0.113.10\"\nport = \"1-65535\"\nprotocol = \"tcp\"",
            &[],
        ),
    ]);
}

#[test]
fn backends_fit_their_service() {
    check(&[
        (
            r#""10.0.0.12""#,
            "\"10.0.0.11\"\nport = 8443",
            &[
                r#"15:11: service "web" backend 2: address: 10.0.0.11 port 8443 is also another backend on line 10; list it once, with the sum of the weights"#,
            ],
        ),
        (r#""10.0.0.12""#, r#""10.0.0.11""#, &[]),
        (
            r#""10.0.0.12""#,
            r#""2001:db8::12""#,
            &[
                r#"15:11: service "web" backend 2: address: 2001:db8::12 is IPv6 but the VIP 203.0.113.10 is IPv4; write an IPv4 address, or forward = "fullnat", "ipip" or "gue" for the service"#,
            ],
        ),
        (
            r#""2001:db8:1::11""#,
            r#""10.0.0.13""#,
            &[
                r#"25:11: service "dns" backend 1: address: 10.0.0.13 is IPv4 but the VIP 2001:db8::53 is IPv6; write an IPv6 address, or forward = "fullnat", "ipip" or "gue" for the service"#,
            ],
        ),
        (
            r#""10.0.0.12""#,
            r#""203.0.113.10""#,
            &[
                r#"15:11: service "web" backend 2: address: 203.0.113.10 is the VIP of service "web"; write the backend's own IPv4 or IPv6 address, such as "10.0.0.11""#,
            ],
        ),
        (
            r#""2001:db8:1::11""#,
            "\"2001:db8:1::11\"\nport = 5353",
            &[
                r#"26:8: service "dns" backend 1: port: 5353 is not the service's port 53, and "dsr" cannot rewrite ports; write 53, or forward = "nat" for the service"#,
            ],
        ),
        (r#""2001:db8:1::11""#, "\"2001:db8:1::11\"\nport = 53", &[]),
        (
            "port = 443",
            r#"port = "any""#,
            &[
                r#"12:8: service "web" backend 1: port: 8443 cannot be used, because a service with port "any" keeps ports; remove it"#,
            ],
        ),
        (
            "port = 443",
            r#"port = "443-444""#,
            &[
                r#"12:8: service "web" backend 1: port: 8443 cannot be used, because a service with port "443-444" keeps ports; remove it"#,
            ],
        ),
        (
            "port = 443",
            "port = 443\nslots = 19",
            &[
                r#"8:9: service "web": slots: 19 slots are too few for 2 backends with a weight; write at least 10 for each: 23 or a larger prime"#,
            ],
        ),
        (
            "port = 443\nprotocol = \"tcp\"\n\n[[service.backend]]\naddress = \"10.0.0.11\"\n",
            "port = 443\nprotocol = \"tcp\"\nslots = 19\n\n[[service.backend]]\naddress = \"10.0.0.11\"\nweight = 0\n",
            &[],
        ),
    ]);
}

#[test]
fn a_tunnel_carries_either_family_and_rewrites_no_port() {
    for forward in ["ipip", "gue"] {
        let tunnel = format!("forward = \"{forward}\"");
        let web = RIGHT.replace("protocol = \"tcp\"", &format!("protocol = \"tcp\"\n{tunnel}"));
        let expected = format!(
            "f.toml:13:8: service \"web\" backend 1: port: 8443 cannot be used: with \"{forward}\" the backend gets \
             packets as clients sent them; remove it"
        );
        assert_eq!(mistakes(&web), [expected]);
        let crossed = RIGHT.replace("forward = \"dsr\"", &tunnel).replace("2001:db8:1::11", "10.0.0.13");
        assert_eq!(mistakes(&crossed), [""; 0]);
        // One that is the client's is not written either: it would look as if it could be another.
        let same = crossed.replace("\"10.0.0.13\"", "\"10.0.0.13\"\nport = 53");
        assert_eq!(mistakes(&same).len(), 1);
    }
}

#[test]
fn full_nat_translates_either_family_and_shares_backends() {
    let web = RIGHT.replace("protocol = \"tcp\"", "protocol = \"tcp\"\nforward = \"fullnat\"");
    assert_eq!(mistakes(&web.replace("10.0.0.12", "2001:db8::12")), [""; 0]);
    let crossed = RIGHT.replace("forward = \"dsr\"", "forward = \"fullnat\"");
    let crossed = crossed.replace("\"2001:db8:1::11\"", "\"10.0.0.13\"\nport = 5353");
    assert_eq!(mistakes(&crossed), [""; 0]);
    let shared = "vip = \"203.0.113.11\"\nport = 8443\nprotocol = \"tcp\"\n[[service.backend]]\naddress = \"10.0.0.11\"";
    assert_eq!(mistakes(&web.replace(DNS, shared)), [""; 0]);
}

#[test]
fn replies_of_nat_can_be_told_apart() {
    check(&[
        (
            DNS,
            "vip = \"203.0.113.11\"\nport = 8443\nprotocol = \"tcp\"\n[[service.backend]]\naddress = \"10.0.0.11\"",
            &[
                r#"23:11: service "dns" backend 1: address: 10.0.0.11 port 8443 is also a backend of service "web", so replies could not be told apart; use another port or address of the backend for each service, or forward = "fullnat""#,
            ],
        ),
        (
            DNS,
            "vip = \"203.0.113.11\"\nport = \"8000-8999\"\nprotocol = \"tcp\"\n[[service.backend]]\naddress = \"10.0.0.11\"",
            &[
                r#"23:11: service "dns" backend 1: address: 10.0.0.11 port 8000-8999 is also a backend of service "web", so replies could not be told apart; use another port or address of the backend for each service, or forward = "fullnat""#,
            ],
        ),
        (
            DNS,
            "vip = \"203.0.113.11\"\nport = \"any\"\nprotocol = \"tcp\"\n[[service.backend]]\naddress = \"10.0.0.12\"",
            &[
                r#"23:11: service "dns" backend 1: address: 10.0.0.12 port any is also a backend of service "web", so replies could not be told apart; use another port or address of the backend for each service, or forward = "fullnat""#,
            ],
        ),
        (
            DNS,
            "vip = \"203.0.113.11\"\nport = 8443\nprotocol = \"udp\"\n[[service.backend]]\naddress = \"10.0.0.11\"",
            &[],
        ),
        (
            DNS,
            "vip = \"203.0.113.11\"\nport = 8444\nprotocol = \"tcp\"\n[[service.backend]]\naddress = \"10.0.0.11\"",
            &[],
        ),
        (
            DNS,
            "vip = \"203.0.113.11\"\nport = 8443\nprotocol = \"tcp\"\nforward = \"dsr\"\n[[service.backend]]\naddress = \"10.0.0.11\"",
            &[],
        ),
    ]);
}

#[test]
fn all_mistakes_are_reported_at_once_in_file_order() {
    check(&[(
        RIGHT,
        r#"[node]
interfaces = []
xdp_mod = "native"

[[service]]
name = "web"
vip = "203.0.113"
port = 0
protocol = "sctp"

[[service.backend]]
address = "10.0.0.11"
weight = -5

[[service.backend]]
adress = "10.0.0.12"
"#,
        &[
            r#"2:14: node: interfaces: [] is empty; write a list of interface names such as ["eth0"]"#,
            r#"3:1: node: xdp_mod: unknown key; did you mean "xdp_mode"?"#,
            r#"7:7: service "web": vip: "203.0.113" is not an address; write an IPv4 or IPv6 address such as "203.0.113.10""#,
            r#"8:8: service "web": port: 0 is not a port; write 1 to 65535, a range such as "8000-8999", or "any""#,
            r#"9:12: service "web": protocol: "sctp" is not known; write "tcp", "udp" or "quic""#,
            r#"13:10: service "web" backend 1: weight: -5 is not a weight; write a number from 0 to 65535"#,
            r#"15:1: service "web" backend 2: address: missing; write the backend's own IPv4 or IPv6 address, such as "10.0.0.11""#,
            r#"16:1: service "web" backend 2: adress: unknown key; did you mean "address"?"#,
        ],
    )]);
}
