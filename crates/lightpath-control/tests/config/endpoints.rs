//! Mistakes in addresses and ports.

use super::check;

#[test]
fn ports_are_ports() {
    check(&[
        (
            "port = 443",
            "port = 0",
            &[
                r#"7:8: service "web": port: 0 is not a port; write 1 to 65535, a range such as "8000-8999", or "any""#,
            ],
        ),
        (
            "port = 443",
            "port = 65536",
            &[
                r#"7:8: service "web": port: 65536 is not a port; write 1 to 65535, a range such as "8000-8999", or "any""#,
            ],
        ),
        (
            "port = 443",
            "port = -1",
            &[
                r#"7:8: service "web": port: -1 is not a port; write 1 to 65535, a range such as "8000-8999", or "any""#,
            ],
        ),
        (
            "port = 443",
            r#"port = "all""#,
            &[
                r#"7:8: service "web": port: "all" is neither a port nor a range of ports; write 1 to 65535, a range such as "8000-8999", or "any""#,
            ],
        ),
        (
            "port = 53",
            r#"port = "0-99""#,
            &[
                r#"20:8: service "dns": port: "0-99" is neither a port nor a range of ports; write 1 to 65535, a range such as "8000-8999", or "any""#,
            ],
        ),
        (
            "port = 53",
            r#"port = "+1-99""#,
            &[
                r#"20:8: service "dns": port: "+1-99" is neither a port nor a range of ports; write 1 to 65535, a range such as "8000-8999", or "any""#,
            ],
        ),
        (
            "port = 53",
            r#"port = "9000-8000""#,
            &[r#"20:8: service "dns": port: "9000-8000" ends before it starts; write "8000-9000""#],
        ),
        (
            "port = 53",
            r#"port = "53-53""#,
            &[r#"20:8: service "dns": port: "53-53" is a single port; write it as a number: 53"#],
        ),
        (
            "port = 8443",
            "port = 0",
            &[r#"12:8: service "web" backend 1: port: 0 is not a port; write a number from 1 to 65535"#],
        ),
        (
            "port = 8443",
            r#"port = "any""#,
            &[r#"12:8: service "web" backend 1: port: "any" is a string; write a number from 1 to 65535"#],
        ),
    ]);
}

#[test]
fn addresses_are_those_of_one_host() {
    check(&[
        (
            r#""203.0.113.10""#,
            r#""web.example""#,
            &[
                r#"6:7: service "web": vip: "web.example" is not an address; write an IPv4 or IPv6 address such as "203.0.113.10""#,
            ],
        ),
        (
            r#""203.0.113.10""#,
            r#""203.0.113.10/32""#,
            &[
                r#"6:7: service "web": vip: "203.0.113.10/32" is not an address; write an IPv4 or IPv6 address such as "203.0.113.10""#,
            ],
        ),
        (
            r#""203.0.113.10""#,
            r#""0.0.0.0""#,
            &[
                r#"6:7: service "web": vip: "0.0.0.0" is the unspecified address; write an IPv4 or IPv6 address such as "203.0.113.10""#,
            ],
        ),
        (
            r#""203.0.113.10""#,
            r#""127.0.0.2""#,
            &[
                r#"6:7: service "web": vip: "127.0.0.2" is a loopback address; write an IPv4 or IPv6 address such as "203.0.113.10""#,
            ],
        ),
        (
            r#""203.0.113.10""#,
            r#""224.0.0.1""#,
            &[
                r#"6:7: service "web": vip: "224.0.0.1" is a multicast address; write an IPv4 or IPv6 address such as "203.0.113.10""#,
            ],
        ),
        (
            r#""203.0.113.10""#,
            r#""255.255.255.255""#,
            &[
                r#"6:7: service "web": vip: "255.255.255.255" is the broadcast address; write an IPv4 or IPv6 address such as "203.0.113.10""#,
            ],
        ),
        (
            r#""203.0.113.10""#,
            r#""::ffff:203.0.113.10""#,
            &[
                r#"6:7: service "web": vip: "::ffff:203.0.113.10" is IPv4-mapped IPv6; write it as IPv4: "203.0.113.10""#,
            ],
        ),
        (
            r#""2001:db8::53""#,
            r#""::""#,
            &[
                r#"19:7: service "dns": vip: "::" is the unspecified address; write an IPv4 or IPv6 address such as "203.0.113.10""#,
            ],
        ),
        (
            r#""2001:db8::53""#,
            r#""::1""#,
            &[
                r#"19:7: service "dns": vip: "::1" is a loopback address; write an IPv4 or IPv6 address such as "203.0.113.10""#,
            ],
        ),
        (
            r#""2001:db8::53""#,
            r#""ff02::1""#,
            &[
                r#"19:7: service "dns": vip: "ff02::1" is a multicast address; write an IPv4 or IPv6 address such as "203.0.113.10""#,
            ],
        ),
        (
            r#""2001:db8::53""#,
            r#""fe80::1""#,
            &[
                r#"19:7: service "dns": vip: "fe80::1" is a link-local address; write an IPv4 or IPv6 address such as "203.0.113.10""#,
            ],
        ),
        (
            r#""10.0.0.12""#,
            r#""127.0.0.1""#,
            &[
                r#"15:11: service "web" backend 2: address: "127.0.0.1" is a loopback address; write the backend's own IPv4 or IPv6 address, such as "10.0.0.11""#,
            ],
        ),
        (
            r#""10.0.0.12""#,
            r#""::ffff:10.0.0.12""#,
            &[
                r#"15:11: service "web" backend 2: address: "::ffff:10.0.0.12" is IPv4-mapped IPv6; write it as IPv4: "10.0.0.12""#,
            ],
        ),
    ]);
}
