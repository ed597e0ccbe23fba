//! QUIC by connection ID, with hand-made packets: what is in them beyond the header is nobody's business on the way.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use lightpath_lab::topology::plan;

use crate::common::{Bed, Family, Service, eventually, file, number};

const PORT: u16 = 443;
/// Packets of each kind, each from an address of the client's of its own.
const PACKETS: u8 = 30;
/// As in the configuration below.
const CONFIG_ID: u8 = 3;
const SERVER_IDS: [[u8; 2]; 2] = [[0x0a, 1], [0x0a, 2]];

/// A packet of some kind with a nonce in it.
type Kind = fn(u8) -> Vec<u8>;

/// A connection ID as a server of the service issues it: configuration, server ID, and what it likes.
fn connection_id(config_id: u8, server_id: [u8; 2], nonce: u8) -> [u8; 8] {
    let [high, low] = server_id;
    [config_id << 5 | nonce & 0x1f, high, low, nonce, 1, 2, 3, 4]
}

/// A packet with a short header (RFC 9000, 17.3.1): of an established connection.
fn short(connection_id: [u8; 8]) -> Vec<u8> {
    [&[0x40][..], &connection_id, &[0xee; 40]].concat()
}

/// A packet with a long header of version 1 (RFC 9000, 17.2), of a type: 0 is Initial, 2 Handshake.
fn long(kind: u8, connection_id: [u8; 8]) -> Vec<u8> {
    [&[0xc0 | kind << 4, 0, 0, 0, 1, 8][..], &connection_id, &[0, 0xee], &[0xee; 40]].concat()
}

#[test]
fn nat_finds_the_backend_of_a_quic_connection_by_its_id() {
    finds_backends(&mut Bed::one_armed(2), Family::V4);
}

#[test]
fn ipv6_nat_finds_the_backend_of_a_quic_connection_by_its_id() {
    finds_backends(&mut Bed::one_armed(2), Family::V6);
}

fn finds_backends(bed: &mut Bed, family: Family) {
    let vip = family.vip(10);
    let quic = "quic = { server_id_length = 2, config_id = 3 }";
    let service = Service::web("h3", vip, &bed.addresses(family));
    let mut service = Service { port: "443", protocol: "quic", more: quic, ..service };
    for (backend, id) in service.backends.iter_mut().zip(["server_id = \"0a01\"", "server_id = \"0a02\""]) {
        backend.more = id;
    }
    let servers = serve(bed, family);
    bed.balancer.start_with(&file(bed.interfaces, "", &[service]));

    for (backend, id) in SERVER_IDS.into_iter().enumerate() {
        let mut expected = [0, 0];
        expected[backend] = usize::from(PACKETS);
        let established = |nonce| short(connection_id(CONFIG_ID, id, nonce));
        assert_eq!(send(bed, vip, &servers, established), expected, "whatever address a client comes from");
        let handshake = |nonce| long(2, connection_id(CONFIG_ID, id, nonce));
        assert_eq!(send(bed, vip, &servers, handshake), expected, "the server's ID in a long header");
    }
    let kinds: [(&str, Kind); 3] = [
        ("a client's own choice", |nonce| long(0, connection_id(CONFIG_ID, SERVER_IDS[0], nonce))),
        ("another configuration", |nonce| short(connection_id(5, SERVER_IDS[0], nonce))),
        ("an unknown server ID", |nonce| short(connection_id(CONFIG_ID, [0xff, 0xff], nonce))),
    ];
    for (what, packet) in kinds {
        let counts = send(bed, vip, &servers, packet);
        assert!(counts.iter().all(|count| *count > 0), "{what} goes by flow: {counts:?}");
    }
    let status = bed.balancer.status();
    let counted = status.service("h3");
    assert_eq!((number(&counted["packets"]), &counted["protocol"]), (7 * u64::from(PACKETS), &"quic".into()));
    assert_eq!(status.0["drops"], serde_json::json!({}));
}

/// A socket on each backend.
fn serve(bed: &Bed, family: Family) -> Vec<UdpSocket> {
    let serve = |(backend, address): (&lightpath_lab::topology::Host, IpAddr)| {
        let socket = backend.ns.run(|| UdpSocket::bind((address, PORT)).unwrap()).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    };
    bed.backends.iter().zip(bed.addresses(family)).map(serve).collect()
}

/// Sends packets from as many addresses; how many have come to each server.
fn send(bed: &Bed, vip: IpAddr, servers: &[UdpSocket], packet: impl Fn(u8) -> Vec<u8>) -> Vec<usize> {
    let family = if vip.is_ipv4() { Family::V4 } else { Family::V6 };
    for (host, nonce) in plan::MORE_CLIENTS.zip(0..PACKETS) {
        let from = family.of(plan::CLIENTS.host(host));
        let client = bed.client.ns.run(|| UdpSocket::bind((from, 0)).unwrap()).unwrap();
        client.send_to(&packet(nonce), SocketAddr::new(vip, PORT)).unwrap();
    }
    let mut counts = vec![0; servers.len()];
    eventually("every packet comes to a server", || {
        for (server, count) in servers.iter().zip(&mut counts) {
            *count += received(server);
        }
        counts.iter().sum::<usize>() == usize::from(PACKETS)
    });
    counts
}

fn received(server: &UdpSocket) -> usize {
    let mut count = 0;
    loop {
        match server.recv(&mut [0; 256]) {
            Ok(_) => count += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return count,
            Err(error) => panic!("{error}"),
        }
    }
}
