//! QUIC: a service that finds its backends by connection ID, and what its backends must say.

use lightpath_control::config::parse;
use lightpath_control::model::{Protocol, Quic};

use super::{check, mistakes};

const QUIC: &str = r#"[node]
interfaces = ["eth0"]

[[service]]
name = "h3"
vip = "203.0.113.10"
port = 443
protocol = "quic"
quic = { server_id_length = 2, config_id = 3 }

[[service.backend]]
address = "10.0.0.11"
server_id = "0a01"

[[service.backend]]
address = "10.0.0.12"
server_id = "0A02"
"#;

/// A piece of [`QUIC`] that is replaced, and the messages that follow.
fn check_quic(rows: &[(&str, &str, &[&str])]) {
    for (piece, instead, expected) in rows {
        assert_eq!(QUIC.matches(piece).count(), 1, "{piece:?} names one place");
        let expected: Vec<String> = expected.iter().map(|line| format!("f.toml:{line}")).collect();
        assert_eq!(mistakes(&QUIC.replace(piece, instead)), expected, "{instead}");
    }
}

#[test]
fn connection_ids_name_backends() {
    let service = &parse(QUIC, "f.toml").unwrap().services[0];
    assert_eq!(
        (service.protocol, service.quic),
        (Protocol::Quic, Some(Quic { server_id_length: 2, config_id: 3 }))
    );
    let ids: Vec<String> =
        service.backends.iter().map(|backend| backend.server_id.unwrap().to_string()).collect();
    assert_eq!(ids, ["0a01", "0a02"]);

    let default = parse(&QUIC.replace(", config_id = 3", ""), "f.toml").unwrap();
    assert_eq!(default.services[0].quic, Some(Quic { server_id_length: 2, config_id: 0 }));
}

#[test]
fn a_quic_service_may_go_by_flow() {
    let by_flow: Vec<&str> = QUIC.lines().filter(|line| !line.contains("server_id")).collect();
    let service = &parse(&by_flow.join("\n"), "f.toml").unwrap().services[0];
    assert_eq!((service.protocol, service.quic), (Protocol::Quic, None));
    assert!(service.backends.iter().all(|backend| backend.server_id.is_none()));
}

#[test]
fn lengths_and_configurations_are_those_of_the_draft() {
    check_quic(&[
        (
            "server_id_length = 2",
            "server_id_length = 0",
            &[
                r#"9:29: service "h3" quic: server_id_length: 0 is out of bounds; write a number from 1 to 15"#,
            ],
        ),
        (
            "server_id_length = 2",
            "server_id_length = 16",
            &[
                r#"9:29: service "h3" quic: server_id_length: 16 is out of bounds; write a number from 1 to 15"#,
            ],
        ),
        (
            "config_id = 3",
            "config_id = 7",
            &[r#"9:44: service "h3" quic: config_id: 7 is out of bounds; write a number from 0 to 6"#],
        ),
        (
            "server_id_length = 2, config_id = 3",
            "config = 3",
            &[
                r#"9:8: service "h3" quic: server_id_length: missing; write a number from 1 to 15"#,
                r#"9:10: service "h3" quic: config: unknown key; did you mean "config_id"?"#,
            ],
        ),
        (
            "{ server_id_length = 2, config_id = 3 }",
            "true",
            &[
                r#"9:8: service "h3": quic: true is a boolean; write a table such as { server_id_length = 2 }"#,
            ],
        ),
    ]);
}

#[test]
fn server_ids_are_hex_of_the_services_length_and_unique() {
    check_quic(&[
        (
            "\"0a01\"",
            "\"0a0g\"",
            &[
                r#"13:13: service "h3" backend 1: server_id: "0a0g" is not in hex, two digits to a byte; write its bytes in hex, such as "0a01""#,
            ],
        ),
        (
            "\"0a01\"",
            "\"0a0\"",
            &[
                r#"13:13: service "h3" backend 1: server_id: "0a0" is not in hex, two digits to a byte; write its bytes in hex, such as "0a01""#,
            ],
        ),
        (
            "\"0a01\"",
            "\"\"",
            &[r#"13:13: service "h3" backend 1: server_id: "" is of 0 bytes; write 1 to 15 bytes"#],
        ),
        (
            "\"0a01\"",
            "\"000102030405060708090a0b0c0d0e0f\"",
            &[
                r#"13:13: service "h3" backend 1: server_id: "000102030405060708090a0b0c0d0e0f" is of 16 bytes; write 1 to 15 bytes"#,
            ],
        ),
        (
            "\"0a01\"",
            "\"0a\"",
            &[
                r#"13:13: service "h3" backend 1: server_id: "0a" is not of the service's server_id_length, which is 2 bytes; write 4 hex digits"#,
            ],
        ),
        (
            "\"0a01\"",
            "\"0a02\"",
            &[
                r#"17:13: service "h3" backend 2: server_id: "0a02" is also the server ID of another backend on line 11; give each backend one of its own"#,
            ],
        ),
        (
            "server_id = \"0a01\"\n",
            "",
            &[
                r#"11:1: service "h3" backend 1: server_id: missing, and the service finds its backends by it; write 4 hex digits"#,
            ],
        ),
        (
            "quic = { server_id_length = 2, config_id = 3 }\n",
            "",
            &[
                r#"12:13: service "h3" backend 1: server_id: "0a01" cannot be used, because the service does not look into connection IDs; remove it, or write quic = { server_id_length = 2 } for the service"#,
                r#"16:13: service "h3" backend 2: server_id: "0a02" cannot be used, because the service does not look into connection IDs; remove it, or write quic = { server_id_length = 2 } for the service"#,
            ],
        ),
        (
            "protocol = \"quic\"",
            "protocol = \"udp\"",
            &[
                r#"9:8: service "h3": quic: udp has no connection IDs; write protocol = "quic", or remove this"#,
            ],
        ),
    ]);
}

#[test]
fn quic_and_udp_share_their_ports() {
    check(&[(
        "vip = \"2001:db8::53\"\nport = 53\nprotocol = \"udp\"\nforward = \"dsr\"\n\n[[service.backend]]\naddress = \"2001:db8:1::11\"\n",
        "vip = \"203.0.113.11\"\nport = 443\nprotocol = \"udp\"\n[[service]]\nname = \"h3\"\nvip = \"203.0.113.11\"\nport = 443\nprotocol = \"quic\"\n",
        &[
            r#"25:8: service "h3": port: quic port 443 of 203.0.113.11 is taken by service "dns", port 443 on line 20; give one of them other ports, another VIP or another protocol"#,
        ],
    )]);
}
