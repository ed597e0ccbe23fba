//! Packets that become answers to whoever sent them.

use lightpath_core::Reason;

use super::services::{ROUTED4, ROUTED6};
use super::{CLIENT4, CLIENT6, Case};
use crate::packet::{ACK, FIN, PacketBuilder, RST, SYN, icmp, icmp_echo, icmp_echo_reply, tcp, udp};

/// MAC addresses of a packet that is not told others, the other way around.
const BACK: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 0xff], [2, 0, 0, 0, 0, 0xfe]];
/// Bytes that are quoted of a longer packet.
const QUOTE: usize = 512;

pub(super) fn cases() -> Vec<Case> {
    [Family::V4, Family::V6]
        .into_iter()
        .flat_map(|family| [resets(family), unreachable(family), too_big(family), echoes(family)].concat())
        .collect()
}

#[derive(Clone, Copy, Debug)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn name(self, what: &str) -> String {
        match self {
            Self::V4 => what.to_owned(),
            Self::V6 => format!("{what}, IPv6"),
        }
    }

    fn client(self) -> &'static str {
        match self {
            Self::V4 => CLIENT4,
            Self::V6 => CLIENT6,
        }
    }

    /// The client's address without a port.
    fn host(self) -> &'static str {
        match self {
            Self::V4 => "198.51.100.10",
            Self::V6 => "2001:db8:1::10",
        }
    }

    fn vip(self) -> &'static str {
        match self {
            Self::V4 => ROUTED4,
            Self::V6 => ROUTED6,
        }
    }

    fn at(self, port: u16) -> String {
        match self {
            Self::V4 => format!("{ROUTED4}:{port}"),
            Self::V6 => format!("[{ROUTED6}]:{port}"),
        }
    }

    /// Whose packets nobody may answer.
    fn nobody(self) -> &'static [&'static str] {
        match self {
            Self::V4 => &["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"],
            Self::V6 => &["::", "::1", "ff02::1"],
        }
    }

    /// More headers than the least.
    fn with_options(self, packet: PacketBuilder) -> PacketBuilder {
        match self {
            Self::V4 => packet.ip_options(&[1; 12]),
            Self::V6 => packet.hop_by_hop(1).destination_options(2),
        }
    }

    fn unreachable(self) -> PacketBuilder {
        let [kind, code] = match self {
            Self::V4 => [3, 3],
            Self::V6 => [1, 4],
        };
        icmp(kind, code, 0, self.vip(), self.host())
    }
}

fn with_port(host: &str) -> String {
    if host.contains(':') { format!("[{host}]:4000") } else { format!("{host}:4000") }
}

/// RFC 9293, 3.10.7.1.
fn resets(family: Family) -> Vec<Case> {
    let segment = |flags| tcp(family.client(), &family.at(90)).flags(flags);
    let reset = || tcp(&family.at(90), family.client()).window(0).payload(b"").macs(BACK[0], BACK[1]);
    let acknowledging = |number| reset().flags(RST | ACK).sequence(0).acknowledgement(number);
    let row = |what: &str, received: PacketBuilder, answer: PacketBuilder| {
        let what = family.name(&format!("reset: {what}"));
        Case::answer(&what, Reason::NoBackend, &received, &answer)
    };
    let refused = |what: &str, received: PacketBuilder| {
        Case::drop(&family.name(&format!("no reset: {what}")), Reason::NoBackend, &received)
    };
    let mut rows = vec![
        row("SYN", segment(SYN).payload(b""), acknowledging(1_000_001)),
        row("SYN with data", segment(SYN), acknowledging(1_000_008)),
        row(
            "SYN with options, which are no data",
            segment(SYN).tcp_options(&[1; 40]),
            acknowledging(1_000_008),
        ),
        row("FIN with data", segment(FIN), acknowledging(1_000_008)),
        row("SYN and FIN", segment(SYN | FIN).payload(b""), acknowledging(1_000_002)),
        row("no flags", segment(0), acknowledging(1_000_007)),
        row("numbers wrap", segment(SYN).sequence(u32::MAX).payload(b""), acknowledging(0)),
        row("ACK", segment(ACK).acknowledgement(777), reset().flags(RST).sequence(777)),
        row("SYN and ACK", segment(SYN | ACK).acknowledgement(7), reset().flags(RST).sequence(7)),
        row("a full frame", segment(ACK).payload(&[7; 1400]), reset().flags(RST).sequence(0)),
        row("padding", segment(SYN).payload(b"").padding(6), acknowledging(1_000_001)),
        row("options and extension headers", family.with_options(segment(SYN)), acknowledging(1_000_008)),
        row("tags stay", segment(SYN).vlan(5), acknowledging(1_000_008).vlan(5)),
        row("both tags stay", segment(SYN).qinq(7, 8), acknowledging(1_000_008).qinq(7, 8)),
        row("nothing of DSCP and ECN", segment(SYN).tos(0xff), acknowledging(1_000_008)),
        row("the last hop", segment(SYN).ttl(1), acknowledging(1_000_008)),
        refused("RST", segment(RST)),
        refused("RST and ACK", segment(RST | ACK)),
        refused("broadcast frame", segment(SYN).macs([0xff; 6], BACK[0])),
        refused("multicast frame", segment(SYN).macs([1, 0, 0x5e, 0, 0, 1], BACK[0])),
    ];
    rows.extend(
        family
            .nobody()
            .iter()
            .map(|host| refused(&format!("from {host}"), tcp(&with_port(host), &family.at(90)).flags(SYN))),
    );
    rows
}

fn unreachable(family: Family) -> Vec<Case> {
    let datagram = || udp(family.client(), &family.at(90));
    let error = || family.unreachable().macs(BACK[0], BACK[1]);
    let row = |what: &str, received: PacketBuilder| {
        let what = family.name(&format!("port unreachable: {what}"));
        Case::answer(&what, Reason::NoBackend, &received, &error().quoting(&received, QUOTE))
    };
    let refused = |what: &str, received: PacketBuilder| {
        Case::drop(&family.name(&format!("not unreachable: {what}")), Reason::NoBackend, &received)
    };
    let tagged = |what: &str, tag: fn(PacketBuilder) -> PacketBuilder| {
        let what = family.name(&format!("port unreachable: {what}"));
        let answer = tag(error().quoting(&datagram(), QUOTE));
        Case::answer(&what, Reason::NoBackend, &tag(datagram()), &answer)
    };
    let mut rows = vec![
        row("a plain packet", datagram()),
        row("a full frame", datagram().payload(&[0xa5; 1400])),
        row("options and extension headers", family.with_options(datagram())),
        row("the first fragment, from a header that is none", datagram().fragment(0, true)),
        row("DSCP, ECN and the last hop", datagram().tos(0xff).ttl(1)),
        row("padding is not quoted", datagram().payload(b"").padding(6)),
        tagged("tag stays", |packet| packet.vlan(5)),
        tagged("both tags stay", |packet| packet.qinq(7, 8)),
        refused("broadcast frame", datagram().macs([0xff; 6], BACK[0])),
    ];
    // Every remainder of the words that are summed up, and both sides of the longest quote.
    for length in (0..9).chain(440..520) {
        rows.push(row(&format!("{length} bytes"), datagram().payload(&vec![0x5a; length])));
    }
    rows.extend(
        family
            .nobody()
            .iter()
            .map(|host| refused(&format!("from {host}"), udp(&with_port(host), &family.at(90)))),
    );
    rows
}

/// RFC 1191; RFC 4443, 3.2.
fn too_big(family: Family) -> Vec<Case> {
    let vip = |packet: &PacketBuilder, vip: &str, mtu: u16| {
        let [kind, code] = match family {
            Family::V4 => [3, 4],
            Family::V6 => [2, 0],
        };
        icmp(kind, code, mtu.into(), vip, family.host()).quoting(packet, QUOTE).macs(BACK[0], BACK[1])
    };
    let row = |what: &str, received: PacketBuilder, answer: PacketBuilder| {
        Case::answer(&family.name(&format!("too big: {what}")), Reason::TooBig, &received, &answer)
    };
    let narrow = tcp(family.client(), &family.at(91)).payload(&[1; 1400]);
    // The way to the backend takes 1300; in IPv6 an outer header takes 40 of them, and no sender would believe 1260.
    let mtu = if matches!(family, Family::V4) { 1300 } else { 1280 };
    let (tunnels, tunnel) = match family {
        Family::V4 => ("203.0.113.30", [("203.0.113.30:40", 1480), ("203.0.113.30:47", 1452)]),
        Family::V6 => ("2001:db8:a::30", [("[2001:db8:a::30]:64", 1480), ("[2001:db8:a::30]:67", 1452)]),
    };
    let mut rows = vec![
        row("the backend's link", narrow.clone(), vip(&narrow, family.vip(), mtu)),
        row("tags stay", narrow.clone().vlan(5), vip(&narrow, family.vip(), mtu).vlan(5)),
    ];
    if let Family::V4 = family {
        let fragment = narrow.clone().fragment(0, true);
        rows.push(row("a fragment", fragment.clone(), vip(&fragment, family.vip(), mtu)));
    }
    for (to, mtu) in tunnel {
        let packet = tcp(family.client(), to).payload(&[2; 1450]);
        rows.push(row(&format!("a tunnel to {to}"), packet.clone(), vip(&packet, tunnels, mtu)));
    }
    rows
}

/// Echo requests to VIPs that the node's kernel does not have.
fn echoes(family: Family) -> Vec<Case> {
    let request = || icmp_echo(family.host(), family.vip());
    let reply = || icmp_echo_reply(family.vip(), family.host()).macs(BACK[0], BACK[1]);
    let with = |what: &str, decorate: &dyn Fn(PacketBuilder) -> PacketBuilder| {
        let what = family.name(&format!("echo: {what}"));
        Case::answer(&what, None, &decorate(request()), &decorate(reply()))
    };
    let other = |what: &str, reason, packet: PacketBuilder| {
        Case::drop(&family.name(&format!("no echo: {what}")), reason, &packet)
    };
    let timestamp = icmp(if let Family::V4 = family { 13 } else { 139 }, 0, 1, family.host(), family.vip());
    let mut rows = vec![
        with("a plain request", &|packet| packet),
        with("no payload", &|packet| packet.payload(b"")),
        with("a full frame", &|packet| packet.payload(&[0x33; 1400])),
        with("tags stay", &|packet| packet.vlan(5)),
        with("both tags stay", &|packet| packet.qinq(7, 8)),
        with("DSCP and ECN stay", &|packet| packet.tos(0b1011_1011)),
        with("padding stays", &|packet| packet.payload(b"").padding(6)),
        with("options and extension headers stay", &|packet| family.with_options(packet)),
        // RFC 6946.
        with("a single fragment is all of it", &|packet| packet.fragment(0, false)),
        Case::answer(&family.name("echo: a fresh TTL"), None, &request().ttl(1), &reply()),
        other("first fragment", Reason::Fragment, request().fragment(0, true)),
        other("later fragment", Reason::Fragment, request().without_transport().fragment(2, false)),
        other("broadcast frame", Reason::NoService, request().macs([0xff; 6], BACK[0])),
        other("another question", Reason::NoService, timestamp),
        other("an unasked reply", Reason::NoService, icmp_echo_reply(family.host(), family.vip())),
    ];
    rows.extend(
        family
            .nobody()
            .iter()
            .map(|host| other(&format!("from {host}"), Reason::NoService, icmp_echo(host, family.vip()))),
    );
    rows
}
