//! ICMP errors about packets of sessions, in either direction, and from one version of IP to the other.

use lightpath_core::Reason;

use super::{Clients, Flow, NODE4, NODE6, Path, TCP, UDP, VIP4, VIP6};
use crate::Action;
use crate::cases::Case;
use crate::node::{BACK_MAC, BACKEND_MAC, CLIENT_MAC, FRONT_MAC};
use crate::packet::{ACK, PacketBuilder, icmp, tcp, udp};

/// Type, code and the rest of the header.
type Header = (u8, u8, u32);

/// What both versions have a word for: IPv4 and IPv6.
const ALIKE: [(Header, Header); 5] = [
    ((3, 4, 1380), (2, 0, 1400)),
    ((3, 1, 0), (1, 0, 0)),
    ((3, 10, 0), (1, 1, 0)),
    ((3, 3, 0), (1, 4, 0)),
    ((11, 0, 0), (3, 0, 0)),
];
/// What is said less exactly in IPv6.
const TO_V6: [(Header, Header); 5] = [
    ((3, 0, 0), (1, 0, 0)),
    ((3, 2, 0), (4, 1, 6)),
    ((3, 13, 0), (1, 1, 0)),
    // No IPv6 link is so narrow, and a router that does not say how narrow it is has not heard of RFC 1191.
    ((3, 4, 576), (2, 0, 1280)),
    ((3, 4, 0), (2, 0, 1280)),
];
/// What is said less exactly in IPv4.
const TO_V4: [(Header, Header); 3] =
    [((3, 1, 0), (1, 2, 0)), ((3, 1, 0), (1, 3, 0)), ((3, 4, 65_535), (2, 0, 100_000))];

const ROUTERS: [&str; 2] = ["192.0.2.77", "2001:db8:77::1"];
const BACK_ROUTERS: [&str; 2] = ["10.0.0.254", "fd00::fe"];

pub(super) fn cases(clients: &mut Clients) -> Vec<Case> {
    let path =
        |(name, vip, port, backend): (_, _, _, &'static str), udp| Path { name, vip, port, backend, udp };
    let paths = TCP.map(|row| path(row, false)).into_iter().chain(UDP.map(|row| path(row, true)));
    let mut rows: Vec<Case> = paths.flat_map(|path| of_path(path, clients)).collect();
    rows.extend(dropped(clients));
    rows
}

/// An error on its way through this node.
struct Error {
    from: &'static str,
    to: String,
    quoted: PacketBuilder,
}

impl Error {
    fn packet(&self, (kind, code, rest): Header, quoted_segment: usize) -> PacketBuilder {
        let header = if self.to.contains(':') { 40 } else { 20 };
        icmp(kind, code, rest, self.from, &self.to).quoting(&self.quoted, header + quoted_segment)
    }
}

/// As a flow's network says it on one side, and as the other hears it.
fn error(flow: &Flow, to_client: bool) -> (Error, Error) {
    let host = |endpoint: &str| match endpoint.rsplit_once(':') {
        Some((host, _)) => host.trim_matches(['[', ']']).to_owned(),
        None => endpoint.to_owned(),
    };
    let side = |address: &str| usize::from(address.contains(':'));
    let Path { vip, backend, .. } = flow.path;
    let node = [NODE4, NODE6][usize::from(backend.starts_with('['))];
    let front = flow.client_gets();
    let back = flow.backend_sends();
    if to_client {
        let received =
            Error { from: BACK_ROUTERS[side(node)], to: node.to_owned(), quoted: flow.backend_gets() };
        let sent = Error { from: vip, to: host(&flow.client), quoted: flow.first.clone().flags(ACK) };
        return (received, sent);
    }
    let received = Error { from: ROUTERS[side(vip)], to: vip.to_owned(), quoted: front };
    (received, Error { from: node, to: host(backend), quoted: back })
}

fn row(what: &str, flow: &Flow, to_client: bool, headers: [Header; 2], bytes: usize, by: Decorate) -> Case {
    let (received, sent) = error(flow, to_client);
    let [received_header, sent_header] = headers;
    let with = |error: &Error| Error { quoted: by(error.quoted.clone()), to: error.to.clone(), ..*error };
    let (mac, source) = if to_client { (CLIENT_MAC, FRONT_MAC) } else { (BACKEND_MAC, BACK_MAC) };
    let received = with(&received).packet(received_header, bytes);
    let sent = with(&sent).packet(sent_header, bytes).macs(mac, source).ttl(63);
    let way = if to_client { "to the client" } else { "to the backend" };
    let case = Case::send(&flow.title(&format!("error {way}, {what}")), Action::Redirect, &received, &sent);
    let case = case.after(&flow.first);
    if to_client { case.by_the_back() } else { case }
}

type Decorate = fn(PacketBuilder) -> PacketBuilder;

fn of_path(path: Path, clients: &mut Clients) -> Vec<Case> {
    let plain: Decorate = |packet| packet;
    let front4 = !path.vip.contains(':');
    let back4 = !path.backend.starts_with('[');
    let mut rows = Vec::new();
    for to_client in [false, true] {
        let (from4, to4) = if to_client { (back4, front4) } else { (front4, back4) };
        let mut pairs = ALIKE.to_vec();
        if from4 && !to4 {
            pairs.extend(TO_V6);
        } else if !from4 && to4 {
            pairs.extend(TO_V4);
        }
        for (four, six) in pairs {
            // Untranslated, it stays what it is.
            let headers = [if from4 { four } else { six }, if to4 { four } else { six }];
            let what = format!("type {} code {} rest {}", headers[0].0, headers[0].1, headers[0].2);
            rows.push(row(&what, &path.flow(clients.next()), to_client, headers, 1000, plain));
        }
        let headers = [ALIKE[0].0, ALIKE[0].1];
        let headers = [headers[usize::from(!from4)], headers[usize::from(!to4)]];
        for bytes in [8, 9, 16, 18, 20] {
            let what = format!("{bytes} bytes of transport");
            rows.push(row(&what, &path.flow(clients.next()), to_client, headers, bytes, plain));
        }
        let variants: [(&str, Decorate); 3] = [
            ("all of a long packet", |packet| packet.payload(&[0x5a; 401])),
            ("DSCP inside", |packet| packet.tos(0b1011_1000)),
            ("the last hop", |packet| packet.ttl(1)),
        ];
        for (what, decorate) in variants {
            rows.push(row(what, &path.flow(clients.next()), to_client, headers, 1000, decorate));
        }
    }
    rows
}

fn dropped(clients: &mut Clients) -> Vec<Case> {
    let (name, vip, port, backend) = TCP[2];
    let six_to_four = Path { name, vip, port, backend, udp: false };
    let mut about = |what: &str, reason, header: Header, inside: Decorate, outside: Decorate| {
        let flow = six_to_four.flow(clients.next());
        let (error, _) = error(&flow, false);
        let quoted = inside(error.quoted.clone());
        let packet = outside(Error { quoted, ..error }.packet(header, 100));
        Case::drop(&flow.title(&format!("error, {what}")), reason, &packet).after(&flow.first)
    };
    let plain: Decorate = |packet| packet;
    let untranslatable = Reason::Untranslatable;
    let mut rows = vec![
        about("a pointer", untranslatable, (4, 0, 40), plain, plain),
        about("a code that IPv4 does not know", untranslatable, (1, 6, 0), plain, plain),
        about("extension headers inside", untranslatable, (1, 4, 0), |packet| packet.hop_by_hop(1), plain),
        about("the last hop of its own", Reason::TtlExpired, (1, 4, 0), plain, |packet| packet.ttl(1)),
    ];
    let nobodys = tcp(&format!("{VIP4}:80"), "198.51.100.10:9");
    rows.push(Case::drop(
        "fullnat: error about no session",
        Reason::NoSession,
        &icmp(3, 3, 0, ROUTERS[0], VIP4).quoting(&nobodys, 100),
    ));
    let nobodys = udp(&format!("[{VIP6}]:53"), "[2001:db8:1::10]:9");
    rows.push(Case::drop(
        "fullnat: error about no session, IPv6",
        Reason::NoSession,
        &icmp(1, 4, 0, ROUTERS[1], VIP6).quoting(&nobodys, 100),
    ));
    rows.push(
        Case::pass(
            "fullnat: error about a connection of the node's own",
            &icmp(3, 3, 0, BACK_ROUTERS[0], NODE4).quoting(&tcp("10.0.0.1:61000", "10.0.0.50:9"), 100),
        )
        .by_the_back(),
    );
    rows
}
