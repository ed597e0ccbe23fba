//! Mistakes of form: what is not TOML, unknown keys, keys and values of later versions, missing keys.

use super::check;

#[test]
fn what_is_not_toml_is_one_message() {
    check(&[
        (
            "port = 443",
            "port = ",
            &[
                "7:8: string values must be quoted, expected literal string; the file must be TOML, see https://toml.io",
            ],
        ),
        (
            r#"["eth0"]"#,
            "[eth0]",
            &[
                "2:15: string values must be quoted, expected literal string; the file must be TOML, see https://toml.io",
            ],
        ),
        (
            r#"name = "web""#,
            "name = \"web\"\nname = \"web2\"",
            &["6:1: duplicate key; the file must be TOML, see https://toml.io"],
        ),
        (
            "port = 53",
            "port = 053",
            &["20:8: unexpected leading zero; the file must be TOML, see https://toml.io"],
        ),
        (
            "[[service.backend]]\naddress = \"10.0.0.12\"",
            "[service.backend]\naddress = \"10.0.0.12\"",
            &["14:10: duplicate key; the file must be TOML, see https://toml.io"],
        ),
    ]);
}

#[test]
fn keys_are_known_and_of_this_version() {
    check(&[
        (
            "port = 443",
            "prot = 443",
            &[
                r#"4:1: service "web": port: missing; write 1 to 65535, a range such as "8000-8999", or "any""#,
                r#"7:1: service "web": prot: unknown key; did you mean "port"?"#,
            ],
        ),
        (
            "port = 8443",
            "wieght = 5",
            &[r#"12:1: service "web" backend 1: wieght: unknown key; did you mean "weight"?"#],
        ),
        (
            "port = 8443",
            "colour = 5",
            &[
                r#"12:1: service "web" backend 1: colour: unknown key; the keys here are address, port, weight, server_id"#,
            ],
        ),
        (
            "interfaces =",
            "Interface =",
            &[
                r#"1:1: node: interfaces: missing; write a list of interface names such as ["eth0"]"#,
                r#"2:1: node: Interface: unknown key; did you mean "interfaces"?"#,
            ],
        ),
        (
            "[[service]]\nname = \"dns\"",
            "[[services]]\nname = \"dns\"",
            &[
                r#"17:3: services: unknown key; did you mean "service"?"#,
                r#"25:11: service "web" backend 3: address: 2001:db8:1::11 is IPv6 but the VIP 203.0.113.10 is IPv4; write an IPv4 address, or forward = "fullnat", "ipip" or "gue" for the service"#,
            ],
        ),
    ]);
}

#[test]
fn what_is_required_is_there() {
    check(&[
        (
            "[node]\ninterfaces = [\"eth0\"]\n",
            "",
            &[r#"1:1: node: missing; write a [node] table with at least interfaces = ["eth0"]"#],
        ),
        (
            r#"interfaces = ["eth0"]"#,
            "",
            &[r#"1:1: node: interfaces: missing; write a list of interface names such as ["eth0"]"#],
        ),
        (
            "name = \"web\"\nvip = \"203.0.113.10\"\nport = 443\nprotocol = \"tcp\"\n",
            "",
            &[
                r#"4:1: service 1: name: missing; write 1 to 63 letters (a-z, A-Z), digits, "-", "_" or ".""#,
                r#"4:1: service 1: vip: missing; write an IPv4 or IPv6 address such as "203.0.113.10""#,
                r#"4:1: service 1: port: missing; write 1 to 65535, a range such as "8000-8999", or "any""#,
                r#"4:1: service 1: protocol: missing; write "tcp", "udp" or "quic""#,
            ],
        ),
        (
            "address = \"10.0.0.12\"\n",
            "",
            &[
                r#"14:1: service "web" backend 2: address: missing; write the backend's own IPv4 or IPv6 address, such as "10.0.0.11""#,
            ],
        ),
    ]);
}
