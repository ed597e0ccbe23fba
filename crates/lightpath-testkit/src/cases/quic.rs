//! QUIC packets, which go to the backend whose server ID is in their connection ID.

use super::{CLIENT4, CLIENT6, Case};
use crate::Action;
use crate::node::{BACK_MAC, BACKEND_MAC, Node};
use crate::packet::udp;
use crate::{Service, service};

const VIP: &str = "203.0.113.40";
/// The configuration that the server IDs are valid under.
const CONFIG: u8 = 2;
/// Server IDs of the backends, the first of which gets every flow that shows none.
const SHORT_IDS: [&[u8]; 3] = [&[0x0a, 0x01], &[0x0a, 0x02], &[0x0a, 0x03]];
const LONG_IDS: [&[u8]; 2] = [&[7; 15], &[7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8]];

/// `cases::contents` makes the third backend of the first one fail.
pub(super) fn services(node: &Node) -> Vec<Service> {
    let back = node.backend_hop();
    let first = |service: Service| service.slots(&[1, 1, 1]);
    vec![
        first(
            service("quic", VIP, 443)
                .quic(CONFIG, &SHORT_IDS)
                .backend("10.0.0.51:443", back)
                .backend("10.0.0.52:443", back)
                .backend("10.0.0.53:443", back),
        ),
        first(
            service("quic6", "2001:db8:a::40", 443)
                .quic(0, &LONG_IDS)
                .backend("[fd00::51]:443", back)
                .backend("[fd00::52]:443", back),
        ),
    ]
}

/// A connection ID: configuration, server ID, and a nonce of four bytes.
fn connection_id(config: u8, server_id: &[u8]) -> Vec<u8> {
    [&[config << 5 | 0x11], server_id, &[0xde, 0xad, 0xbe, 0xef]].concat()
}

/// A packet with a short header.
fn short(id: &[u8]) -> Vec<u8> {
    [&[0x40], id, &[0x5a; 30]].concat()
}

/// A packet with a long header of this first byte and version.
fn long(first: u8, version: u32, id: &[u8]) -> Vec<u8> {
    let length = u8::try_from(id.len()).expect("at most 20 bytes");
    [&[first], version.to_be_bytes().as_slice(), &[length], id, &[0], &[0x5a; 30]].concat()
}

pub(super) fn cases() -> Vec<Case> {
    const V1: u32 = 1;
    const V2: u32 = 0x6b33_43cf;
    let second = connection_id(CONFIG, SHORT_IDS[1]);
    let rows = [
        ("short header", 52, short(&second)),
        ("short header, another backend", 51, short(&connection_id(CONFIG, SHORT_IDS[0]))),
        ("Handshake of version 1", 52, long(0xe0, V1, &second)),
        ("Handshake of version 2", 52, long(0xf0, V2, &second)),
        ("Initial of version 1 goes by flow", 51, long(0xc0, V1, &second)),
        ("0-RTT of version 1 goes by flow", 51, long(0xd0, V1, &second)),
        ("Initial of version 2 goes by flow", 51, long(0xd0, V2, &second)),
        ("0-RTT of version 2 goes by flow", 51, long(0xe0, V2, &second)),
        ("a version that is not known goes by flow", 51, long(0xe0, 0x1a2a_3a4a, &second)),
        ("version negotiation goes by flow", 51, long(0xe0, 0, &second)),
        ("a server ID that is not known goes by flow", 51, short(&connection_id(CONFIG, &[0x0a, 0x09]))),
        ("another configuration goes by flow", 51, short(&connection_id(CONFIG + 1, SHORT_IDS[1]))),
        (
            "the server ID of a backend that failed goes by flow",
            51,
            short(&connection_id(CONFIG, SHORT_IDS[2])),
        ),
        ("a connection ID that is too short goes by flow", 51, long(0xe0, V1, &second[..2])),
        ("too short for QUIC goes by flow", 51, short(&second)[..20].to_vec()),
        ("no payload goes by flow", 51, Vec::new()),
    ];
    let mut cases: Vec<Case> = rows
        .iter()
        .map(|(what, host, payload)| {
            let received = udp(CLIENT4, "203.0.113.40:443").payload(payload);
            let sent = udp(CLIENT4, &format!("10.0.0.{host}:443")).payload(payload);
            case(what, &received, sent)
        })
        .collect();
    for (host, id) in [(51, LONG_IDS[0]), (52, LONG_IDS[1])] {
        let payload = short(&connection_id(0, id));
        let received = udp(CLIENT6, "[2001:db8:a::40]:443").payload(&payload);
        let sent = udp(CLIENT6, &format!("[fd00::{host}]:443")).payload(&payload);
        cases.push(case(&format!("the longest server ID, IPv6, backend {host}"), &received, sent));
    }
    cases
}

fn case(what: &str, received: &crate::packet::PacketBuilder, sent: crate::packet::PacketBuilder) -> Case {
    let sent = sent.macs(BACKEND_MAC, BACK_MAC).ttl(63);
    Case::send(&format!("QUIC: {what}"), Action::Redirect, received, &sent)
}
