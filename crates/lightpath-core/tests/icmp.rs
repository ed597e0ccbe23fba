//! ICMP: what goes wrong in other load balancers, and does not here.

use std::net::SocketAddr;

use lightpath_abi::{BackendNumber, Features, FlowTable};
use lightpath_core::host::{Buffer, HostTables, Moves};
use lightpath_core::{
    ERRORS_PER_SECOND, Reason, ReplyKind, SlicePacket, Tables, Verdict, flow_of_error, forward, parse_any,
};
use lightpath_testkit::cases::run_on_host;
use lightpath_testkit::node::Node;
use lightpath_testkit::packet::{PacketBuilder, SYN, icmp, icmp_echo, tcp, udp};
use lightpath_testkit::{Service, Setup, checksums_are_right, describe, internet_checksum, service};

const VIP: &str = "203.0.113.10";
const CLIENT: &str = "198.51.100.10";
const ROUTER: &str = "192.0.2.77";

/// Five backends at 10.0.0.1 to 10.0.0.5, port 8080 with `nat`.
fn web(port: u16, kind: fn(Service) -> Service) -> Service {
    let web = kind(service(&format!("web {port}"), VIP, port));
    (1..=5).fold(web, |web, host| web.backend(&format!("10.0.0.{host}:8080"), Node::default().backend_hop()))
}

fn run(packet: &PacketBuilder, tables: &HostTables) -> (Option<BackendNumber>, Vec<u8>) {
    let (verdict, sent) = run_on_host(&packet.build(), &Node::default(), tables);
    let backend = match verdict {
        Verdict::Forward(forwarding) => Some(forwarding.backend),
        _ => None,
    };
    (backend, sent)
}

fn to_vip(client_port: u16, port: u16) -> PacketBuilder {
    tcp(&format!("{CLIENT}:{client_port}"), &format!("{VIP}:{port}"))
}

/// "Fragmentation needed" about a packet that the VIP's side sent to a client.
fn too_big_for(client_port: u16, port: u16) -> PacketBuilder {
    let quoted = tcp(&format!("{VIP}:{port}"), &format!("{CLIENT}:{client_port}"));
    icmp(3, 4, 1400, ROUTER, VIP).quoting(&quoted, 28)
}

/// Else a connection hangs as soon as its packets are large: the backend that sends them never hears that they are too big.
#[test]
fn path_mtu_discovery_reaches_the_backend_of_the_flow() {
    let setup = Setup::new()
        .with(web(80, |service| service))
        .with(web(81, Service::dsr))
        .with(web(82, Service::ipip))
        .with(web(83, Service::gue))
        .with(web(84, Service::sticky));
    let tables = setup.contents().host_tables();
    for port in 80..=84 {
        let mut backends = Vec::new();
        for client_port in 4000..4050 {
            let (backend, _) = run(&to_vip(client_port, port), &tables);
            assert_eq!(run(&too_big_for(client_port, port), &tables).0, backend, "port {port}");
            backends.extend(backend);
        }
        backends.sort_unstable();
        backends.dedup();
        assert_eq!(backends.len(), if port == 84 { 1 } else { 5 }, "port {port}");
    }
}

/// A slot that moves sends old and new flows to different backends, and so their errors.
#[test]
fn path_mtu_discovery_reaches_the_backend_of_a_flow_whose_slot_moves() {
    let mut tables = Setup::new().with(web(80, |service| service).slots(&[1])).contents().host_tables();
    let (before, _) = run(&to_vip(4000, 80), &tables);
    tables.change_slots(1, &[2], &mut Moves::default());
    let (opened, _) = run(&to_vip(4001, 80).flags(SYN).sequence(7), &tables);
    assert_eq!((before, opened), (Some(1), Some(2)));
    assert_eq!(run(&too_big_for(4001, 80), &tables).0, Some(2), "after its SYN");
    let (established, _) = run(&to_vip(4001, 80).sequence(8), &tables);
    assert_eq!(established, Some(2));
    assert_eq!(run(&too_big_for(4000, 80), &tables).0, Some(1), "older than the move");
    assert_eq!(run(&too_big_for(4001, 80), &tables).0, Some(2), "opened during the move");
}

/// How an answer to a health check is known that comes as an error.
#[test]
fn an_error_names_the_flow_that_it_is_about_and_other_messages_name_none() {
    const FEATURES: Features = Features(Features::IPV4.0 | Features::IPV6.0);
    let of = |packet: &PacketBuilder| {
        let mut bytes = packet.build();
        let frame = flow_of_error(&SlicePacket(&mut bytes), FEATURES)?;
        let end = |address: lightpath_abi::Address, port| SocketAddr::new(address.to_ip(), port).to_string();
        Some((end(frame.source, frame.source_port), end(frame.destination, frame.destination_port)))
    };
    for (node, vip, mut error) in [
        ("10.0.0.2:4000", "203.0.113.10:53", icmp(3, 3, 0, "203.0.113.10", "10.0.0.2")),
        ("[fd00::2]:4000", "[2001:db8::10]:53", icmp(1, 4, 0, "2001:db8::10", "fd00::2")),
    ] {
        error = error.quoting(&udp(node, vip), if node.starts_with('[') { 48 } else { 28 });
        assert_eq!(of(&error), Some((vip.to_owned(), node.to_owned())));
        assert_eq!(of(&udp(vip, node)), None);
    }
    assert_eq!(of(&icmp_echo(VIP, CLIENT)), None);
    assert_eq!(of(&icmp(3, 3, 0, VIP, CLIENT).quoting(&udp("10.0.0.2:4000", "203.0.113.10:53"), 22)), None);
}

/// Anybody can forge an error.
#[test]
fn an_error_leaves_no_trace_in_the_flow_tables() {
    let mut tables = Setup::new().with(web(80, |service| service).slots(&[1])).contents().host_tables();
    tables.change_slots(1, &[2], &mut Moves::default());
    let remembered = |tables: &HostTables| {
        let places =
            |table: FlowTable| (0..table.places()).map(move |place| tables.flow(table, place).unwrap());
        FlowTable::ALL.into_iter().flat_map(places).filter(|flow| flow.key != 0).collect::<Vec<_>>()
    };
    let _ = run(&to_vip(4000, 80), &tables);
    let before = remembered(&tables);
    assert_eq!(before.len(), 1);
    tables.now += 5;
    for client_port in 4000..4100 {
        assert!(run(&too_big_for(client_port, 80), &tables).0.is_some());
    }
    assert_eq!(remembered(&tables), before, "neither more flows nor a later time");
}

/// Where an address in the quoted packet changes, so does every checksum that it is in: the quoted packet's own two, and the
/// message's.
#[test]
fn icmp_inside_icmp_is_right_after_translation() {
    let dns = service("dns", VIP, 53).udp().backend("10.0.0.9:5353", Node::default().backend_hop());
    let tables = Setup::new().with(web(80, |service| service)).with(dns).contents().host_tables();
    for client_port in 1..500 {
        let client = format!("{CLIENT}:{client_port}");
        for quoted in [tcp(&format!("{VIP}:80"), &client), udp(&format!("{VIP}:53"), &client)] {
            let (backend, sent) = run(&icmp(3, 4, 1400, ROUTER, VIP).quoting(&quoted, 1000), &tables);
            assert!(backend.is_some());
            assert_eq!(checksums_are_right(&sent), Ok(()), "{}", describe(&sent));
            let inside = [&[2; 12][..], &[0x08, 0x00], &sent[14 + 20 + 8..]].concat();
            assert_eq!(checksums_are_right(&inside), Ok(()), "{}", describe(&inside));
        }
    }
}

/// What stands where ports would be is payload. Here it is what the ports of a flow would be.
#[test]
fn fragments_in_icmp_errors_are_not_read_for_ports() {
    let tables = Setup::new().with(web(80, |service| service)).contents().host_tables();
    let ports = [0, 80, 0x0f, 0xa0, 0, 0, 0, 0];
    let later = tcp(&format!("{VIP}:80"), &format!("{CLIENT}:4000"))
        .without_transport()
        .fragment(1, true)
        .payload(&ports);
    let error = icmp(11, 1, 0, ROUTER, VIP).quoting(&later, 28);
    let (verdict, _) = run_on_host(&error.build(), &Node::default(), &tables);
    assert!(matches!(verdict, Verdict::Drop(drop) if drop.reason == Reason::Fragment), "{verdict:?}");
}

/// The kernel of a node that does not have the VIP would send it to its router, who would send it back.
#[test]
fn icmp_to_a_vip_that_is_only_routed_does_not_loop() {
    let node = Node::default();
    let tables = Setup::new().with(web(80, Service::routed)).contents().host_tables();
    for kind in 0..=u8::MAX {
        for payload in [&[][..], &[0x45; 40], &[0xff; 600]] {
            let message = icmp(kind, 0, 0, CLIENT, VIP).payload(payload);
            for packet in [message.clone(), message.clone().fragment(0, true), message.fragment(9, false)] {
                let (verdict, _) = run_on_host(&packet.build(), &node, &tables);
                assert!(matches!(verdict, Verdict::Drop(_) | Verdict::Reply(_)), "{kind}: {verdict:?}");
            }
        }
    }
}

/// Katran's came from another address, Cilium's was taken for a fragment itself.
#[test]
fn a_generated_too_big_has_a_header_of_its_own_from_the_vip() {
    let narrow = lightpath_abi::NextHop { mtu: 1000, ..Node::default().backend_hop() };
    let web = service("web", VIP, 80).dsr().backend("10.0.0.1", narrow);
    let tables = Setup::new().with(web).contents().host_tables();
    let packet = to_vip(4000, 80).payload(&[0; 1200]).ip_options(&[1; 8]).fragment_of(77, 0, true).tos(0xff);
    let (verdict, sent) = run_on_host(&packet.build(), &Node::default(), &tables);
    assert!(matches!(verdict, Verdict::Reply(reply) if reply.kind == ReplyKind::TooBig { mtu: 1000 }));
    let header = &sent[14..34];
    assert_eq!(header[0], 0x45, "no options");
    assert_eq!(header[4..8], [0, 0, 0x40, 0], "no identification, no fragment");
    assert_eq!(header[12..20], [203, 0, 113, 10, 198, 51, 100, 10], "from the VIP to the client");
    assert_eq!(internet_checksum(&[header]), 0);
    assert_eq!(sent[34 + 6..34 + 8], 1000_u16.to_be_bytes());
    assert_eq!(sent[42..], packet.build()[14..14 + 512], "the packet as it came");
}

#[test]
fn a_client_of_an_empty_service_is_told_at_once() {
    let empty = |protocol: fn(Service) -> Service| protocol(service("empty", VIP, 80).refusing().slots(&[0]));
    let setup = Setup::new().with(empty(|service| service)).with(empty(Service::udp));
    let tables = setup.contents().host_tables();
    let answer = |packet: PacketBuilder| match run_on_host(&packet.build(), &Node::default(), &tables) {
        (Verdict::Reply(reply), sent) => (reply.kind, reply.reason, sent),
        (verdict, _) => panic!("{verdict:?}"),
    };
    let (kind, reason, sent) = answer(to_vip(4000, 80).flags(SYN).sequence(5).payload(b""));
    assert_eq!((kind, reason), (ReplyKind::Reset, Some(Reason::NoBackend)));
    assert_eq!(
        sent[34 + 8..34 + 12],
        6_u32.to_be_bytes(),
        "the SYN is acknowledged, else the reset is ignored"
    );
    let (kind, ..) = answer(udp(&format!("{CLIENT}:4000"), &format!("{VIP}:80")));
    assert_eq!(kind, ReplyKind::Unreachable);
}

#[test]
fn errors_are_limited_and_resets_and_echo_replies_are_not() {
    let empty = |name, protocol: fn(Service) -> Service| {
        protocol(service(name, VIP, 80).routed().refusing().slots(&[0]))
    };
    let setup = Setup::new().with(empty("tcp", |service| service)).with(empty("udp", Service::udp));
    let mut tables = setup.contents().host_tables();
    let limit = u64::from(ERRORS_PER_SECOND);
    let datagram = udp(&format!("{CLIENT}:4000"), &format!("{VIP}:80")).build();
    let segment = to_vip(4000, 80).flags(SYN).build();
    let echo = icmp_echo(CLIENT, VIP).build();
    for second in 1..=2 {
        for packet in [&datagram, &segment, &echo] {
            for _ in 0..limit + 10 {
                let mut packet = Buffer::new(packet);
                let _ = forward(&mut packet, &tables, &tables);
            }
        }
        let counted = tables.counted();
        assert_eq!(counted.replies, [limit + 10, limit + 10, limit, 0].map(|count| count * second));
        // What is not answered has its reason all the same.
        assert_eq!(counted.reasons[Reason::NoBackend as usize], (limit + 10) * 2 * second);
        tables.now += 1;
    }
}

/// This node is a mere router for them.
#[test]
fn an_error_about_a_connection_straight_to_a_backend_is_left_alone() {
    let tables = Setup::new().with(web(80, |service| service)).contents().host_tables();
    let straight = tcp(&format!("{CLIENT}:4000"), "10.0.0.1:8080");
    let error = icmp(3, 1, 0, "10.0.0.254", CLIENT).quoting(&straight, 28);
    assert!(run(&error, &tables).0.is_some(), "taken for one about a client of the service");
    let _ = run(&straight, &tables);
    let (verdict, sent) = run_on_host(&error.build(), &Node::default(), &tables);
    assert_eq!(verdict, Verdict::Pass);
    assert_eq!(sent, error.build());
}

/// RFC 792 has a quote end anywhere from the eighth byte of the transport on.
#[test]
fn a_quote_may_end_anywhere() {
    let tables = Setup::new().with(web(80, |service| service)).contents().host_tables();
    let quoted = tcp(&format!("{VIP}:80"), &format!("{CLIENT}:4000"));
    for length in 0..80 {
        let error = icmp(3, 4, 1400, ROUTER, VIP).quoting(&quoted, length);
        let (backend, sent) = run(&error, &tables);
        assert_eq!(backend.is_some(), length >= 28, "{length} bytes");
        assert_eq!(checksums_are_right(&sent), Ok(()), "{length} bytes");
        let frame = parse_any(&SlicePacket(&mut sent.clone()), Features::ALL).unwrap();
        assert_eq!(usize::from(frame.length), 28 + length.min(47));
    }
}
