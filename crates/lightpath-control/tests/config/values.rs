//! Mistakes in single values, other than addresses and ports.

use super::check;

#[test]
fn values_are_of_their_type() {
    check(&[
        (
            r#"["eth0"]"#,
            r#""eth0""#,
            &[
                r#"2:14: node: interfaces: "eth0" is a string; write a list of interface names such as ["eth0"]"#,
            ],
        ),
        (
            r#"["eth0"]"#,
            r#"["eth0", 1]"#,
            &[r#"2:23: node: interfaces: 1 is an integer; write a list of interface names such as ["eth0"]"#],
        ),
        (
            r#"name = "web""#,
            "name = 7",
            &[
                r#"5:8: service 1: name: 7 is an integer; write 1 to 63 letters (a-z, A-Z), digits, "-", "_" or ".""#,
            ],
        ),
        (
            "port = 443",
            r#"port = "443""#,
            &[r#"7:8: service "web": port: "443" is a string; write the port without quotes: 443"#],
        ),
        (
            "port = 443",
            "port = 443.5",
            &[
                r#"7:8: service "web": port: 443.5 is a float; write 1 to 65535, a range such as "8000-8999", or "any""#,
            ],
        ),
        (
            "port = 443",
            "port = [80, 443]",
            &[
                r#"7:8: service "web": port: [80, 443] is an array; write 1 to 65535, a range such as "8000-8999", or "any""#,
            ],
        ),
        (
            "port = 443",
            "port = { first = 80 }",
            &[
                r#"7:8: service "web": port: { first = 80 } is an inline table; write 1 to 65535, a range such as "8000-8999", or "any""#,
            ],
        ),
        (
            "port = 8443",
            r#"weight = "100""#,
            &[r#"12:10: service "web" backend 1: weight: "100" is a string; write a number from 0 to 65535"#],
        ),
        (
            "port = 8443",
            "weight = true",
            &[r#"12:10: service "web" backend 1: weight: true is a boolean; write a number from 0 to 65535"#],
        ),
        (
            "[node]\ninterfaces = [\"eth0\"]",
            "node = 1",
            &[r#"1:8: node: 1 is an integer; write a [node] table with at least interfaces = ["eth0"]"#],
        ),
        (
            "[node]",
            "[[node]]",
            &[
                r#"1:3: node: this is an array of tables; write a [node] table with at least interfaces = ["eth0"]"#,
            ],
        ),
        (
            r#"forward = "dsr""#,
            "forward = \"dsr\"\nhealth = 1",
            &[r#"23:10: service "dns": health: 1 is an integer; write a [service.health] table"#],
        ),
        (
            "forward = \"dsr\"\n\n[[service.backend]]",
            "forward = \"dsr\"\n[service.backend]",
            &[
                r#"23:10: service "dns": backend: this is a table; write [[service.backend]] in double brackets above each backend"#,
            ],
        ),
        (
            "forward = \"dsr\"\n\n[[service.backend]]\naddress = \"2001:db8:1::11\"\n",
            "backend = [\n  { address = \"2001:db8:1::11\" },\n  1\n]",
            &[
                r#"24:3: service "dns": backend: 1 is an integer; write [[service.backend]] in double brackets above each backend"#,
            ],
        ),
    ]);
}

#[test]
fn node_settings_are_usable() {
    check(&[
        (
            r#"["eth0"]"#,
            "[]",
            &[r#"2:14: node: interfaces: [] is empty; write a list of interface names such as ["eth0"]"#],
        ),
        (
            r#"["eth0"]"#,
            r#"["eth0", "eth1", "eth0"]"#,
            &[r#"2:31: node: interfaces: "eth0" is listed twice; list each interface once"#],
        ),
        (
            r#"["eth0"]"#,
            r#"["", "eth 0", "a/b", "..", "sixteen-letters-"]"#,
            &[
                r#"2:15: node: interfaces: "" is not an interface name; write 1 to 15 bytes without "/", ":" and white space"#,
                r#"2:19: node: interfaces: "eth 0" is not an interface name; write 1 to 15 bytes without "/", ":" and white space"#,
                r#"2:28: node: interfaces: "a/b" is not an interface name; write 1 to 15 bytes without "/", ":" and white space"#,
                r#"2:35: node: interfaces: ".." is not an interface name; write 1 to 15 bytes without "/", ":" and white space"#,
                r#"2:41: node: interfaces: "sixteen-letters-" is not an interface name; write 1 to 15 bytes without "/", ":" and white space"#,
            ],
        ),
        (
            r#"["eth0"]"#,
            "[\"eth0\"]\nxdp_mode = \"offload\"\nannounce = \"bgp\"\nhash_seed = \"\"",
            &[
                r#"3:12: node: xdp_mode: "offload" is not known; write "auto", "native" or "generic""#,
                r#"4:12: node: announce: "bgp" is not known; write "address" or "none""#,
                r#"5:13: node: hash_seed: "" is empty; write a string that is not empty, the same on all nodes of a cluster"#,
            ],
        ),
    ]);
}

#[test]
fn names_are_short_and_plain() {
    check(&[
        (
            r#"name = "web""#,
            r#"name = """#,
            &[
                r#"5:8: service "": name: "" is not of 1 to 63 characters; write 1 to 63 letters (a-z, A-Z), digits, "-", "_" or ".""#,
            ],
        ),
        (
            r#"name = "web""#,
            r#"name = "web site""#,
            &[
                r#"5:8: service "web site": name: "web site" has other characters than a service name may have; write 1 to 63 letters (a-z, A-Z), digits, "-", "_" or ".""#,
            ],
        ),
        (
            r#"name = "web""#,
            r#"name = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl""#,
            &[
                r#"5:8: service "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl": name: "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl" is not of 1 to 63 characters; write 1 to 63 letters (a-z, A-Z), digits, "-", "_" or ".""#,
            ],
        ),
        (
            r#"name = "dns""#,
            r#"name = "web""#,
            &[
                r#"18:8: service "web": name: "web" is also the name of another service on line 5; give each service a name of its own"#,
            ],
        ),
    ]);
}

#[test]
fn words_and_numbers_are_within_their_sets() {
    check(&[
        (
            r#""tcp""#,
            r#""sctp""#,
            &[r#"8:12: service "web": protocol: "sctp" is not known; write "tcp", "udp" or "quic""#],
        ),
        (
            r#""dsr""#,
            r#""DSR""#,
            &[
                r#"22:11: service "dns": forward: "DSR" is not known; write "nat", "fullnat", "dsr", "ipip" or "gue""#,
            ],
        ),
        (
            r#"forward = "dsr""#,
            r#"sticky = "cookie""#,
            &[r#"22:10: service "dns": sticky: "cookie" is not known; write "none" or "source-ip""#],
        ),
        (
            r#"forward = "dsr""#,
            r#"when_empty = "wait""#,
            &[r#"22:14: service "dns": when_empty: "wait" is not known; write "reject" or "drop""#],
        ),
        (
            "port = 8443",
            "weight = 65536",
            &[
                r#"12:10: service "web" backend 1: weight: 65536 is not a weight; write a number from 0 to 65535"#,
            ],
        ),
        (
            "port = 8443",
            "weight = -1",
            &[
                r#"12:10: service "web" backend 1: weight: -1 is not a weight; write a number from 0 to 65535"#,
            ],
        ),
        (
            "port = 443",
            "port = 443\nslots = 10",
            &[r#"8:9: service "web": slots: 10 is out of bounds; write a prime from 11 to 1048573"#],
        ),
        (
            "port = 443",
            "port = 443\nslots = 1048583",
            &[r#"8:9: service "web": slots: 1048583 is out of bounds; write a prime from 11 to 1048573"#],
        ),
        (
            "port = 443",
            "port = 443\nslots = 65536",
            &[r#"8:9: service "web": slots: 65536 is not a prime; the nearest are 65521 and 65537"#],
        ),
        (
            "port = 443",
            "port = 443\nslots = 1048572",
            &[r#"8:9: service "web": slots: 1048572 is not a prime; the nearest are 1048571 and 1048573"#],
        ),
    ]);
}

#[test]
fn columns_count_characters() {
    check(&[(
        "name = \"web\"\nvip = \"203.0.113.10\"\nport = 443\nprotocol = \"tcp\"",
        "health = { type = \"ünü\", tpye = 1 }\nname = \"web\"\nvip = \"203.0.113.10\"\nport = 443\nprotocol = \"tcp\"",
        &[
            r#"5:19: service "web" health: type: "ünü" is not known; write "tcp", "http", "https", "grpc", "grpcs", "dns", "udp", "icmp" or "none""#,
            r#"5:26: service "web" health: tpye: unknown key; did you mean "type"?"#,
        ],
    )]);
}

#[test]
fn a_message_stays_on_its_line_whatever_it_quotes() {
    check(&[
        (
            r#"["eth0"]"#,
            "[\"eth\t0\"]",
            &[
                r#"2:15: node: interfaces: "eth\t0" is not an interface name; write 1 to 15 bytes without "/", ":" and white space"#,
            ],
        ),
        (
            "port = 8443",
            r#""a\nb\u001b" = 5"#,
            &[
                r#"12:1: service "web" backend 1: a\nb\u{1b}: unknown key; the keys here are address, port, weight, server_id"#,
            ],
        ),
        (
            r#"protocol = "udp""#,
            "protocol = \"\u{9b}2J\"",
            &[r#"21:12: service "dns": protocol: "\u{9b}2J" is not known; write "tcp", "udp" or "quic""#],
        ),
    ]);
}

#[test]
fn metrics_are_served_where_somebody_can_find_them() {
    check(&[
        (
            "interfaces = ",
            "metrics = \"localhost:9800\"\ninterfaces = ",
            &[
                r#"2:11: node: metrics: "localhost:9800" is not an address with a port; write an address and port such as "127.0.0.1:9800" or "[::1]:9800""#,
            ],
        ),
        (
            "interfaces = ",
            "metrics = \"127.0.0.1\"\ninterfaces = ",
            &[
                r#"2:11: node: metrics: "127.0.0.1" is not an address with a port; write an address and port such as "127.0.0.1:9800" or "[::1]:9800""#,
            ],
        ),
        (
            "interfaces = ",
            "metrics = \"127.0.0.1:0\"\ninterfaces = ",
            &[
                r#"2:11: node: metrics: "127.0.0.1:0" is no port that could be found; write an address and port such as "127.0.0.1:9800" or "[::1]:9800""#,
            ],
        ),
        (
            "interfaces = ",
            "metrics = \"224.0.0.1:9800\"\ninterfaces = ",
            &[
                r#"2:11: node: metrics: "224.0.0.1:9800" is a multicast address; write an address and port such as "127.0.0.1:9800" or "[::1]:9800""#,
            ],
        ),
    ]);
}
