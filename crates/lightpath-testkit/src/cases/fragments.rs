//! Fragments, which go where the first one of their datagram went.

use lightpath_core::Reason;

use super::{CLIENT4, CLIENT6, Case};
use crate::Action;
use crate::node::{BACK_MAC, BACKEND_MAC, CLIENT_MAC, FRONT_MAC};
use crate::packet::{PacketBuilder, tcp, udp};

/// A datagram in parts, on its way in and on its way out.
struct Datagram {
    name: &'static str,
    identification: u16,
    received: PacketBuilder,
    sent: PacketBuilder,
    replied: bool,
}

impl Datagram {
    fn first(&self) -> PacketBuilder {
        self.received.clone().fragment_of(self.identification, 0, true)
    }

    /// The first part, with its ports, and one without.
    fn cases(&self) -> Vec<Case> {
        let later = |packet: &PacketBuilder| {
            packet.clone().without_transport().fragment_of(self.identification, 2, false)
        };
        let sent_first = self.sent.clone().fragment_of(self.identification, 0, true);
        vec![
            self.case("first", &self.first(), sent_first),
            self.case("later", &later(&self.received), later(&self.sent)).after(&self.first()),
        ]
    }

    fn case(&self, part: &str, received: &PacketBuilder, sent: PacketBuilder) -> Case {
        let (mac, source) = if self.replied { (CLIENT_MAC, FRONT_MAC) } else { (BACKEND_MAC, BACK_MAC) };
        let what = format!("{} fragment, {}", part, self.name);
        let case = Case::send(&what, Action::Redirect, received, &sent.macs(mac, source).ttl(63));
        if self.replied { case.by_the_back() } else { case }
    }
}

pub(super) fn cases() -> Vec<Case> {
    let datagram = |name, identification, received: PacketBuilder, sent: PacketBuilder| Datagram {
        name,
        identification,
        received,
        sent,
        replied: false,
    };
    let datagrams = [
        datagram("TCP", 101, tcp(CLIENT4, "203.0.113.10:80"), tcp(CLIENT4, "10.0.0.11:8080")),
        datagram("UDP", 102, udp(CLIENT4, "203.0.113.10:53"), udp(CLIENT4, "10.0.0.13:5353")),
        datagram("dsr", 103, tcp(CLIENT4, "203.0.113.10:443"), tcp(CLIENT4, "203.0.113.10:443")),
        datagram("TCP over IPv6", 104, tcp(CLIENT6, "[2001:db8:a::10]:80"), tcp(CLIENT6, "[fd00::11]:8080")),
        datagram("UDP over IPv6", 105, udp(CLIENT6, "[2001:db8:a::10]:53"), udp(CLIENT6, "[fd00::13]:5353")),
        datagram("with IP options", 106, tcp(CLIENT4, "203.0.113.10:80"), tcp(CLIENT4, "10.0.0.11:8080"))
            .decorated(|packet| packet.ip_options(&[1; 8])),
        datagram(
            "behind other headers",
            107,
            tcp(CLIENT6, "[2001:db8:a::10]:80"),
            tcp(CLIENT6, "[fd00::11]:8080"),
        )
        .decorated(|packet| packet.hop_by_hop(1)),
        datagram("reply", 108, udp("10.0.0.13:5353", CLIENT4), udp("203.0.113.10:53", CLIENT4)).replied(),
        datagram(
            "reply over IPv6",
            109,
            udp("[fd00::13]:5353", CLIENT6),
            udp("[2001:db8:a::10]:53", CLIENT6),
        )
        .replied(),
    ];
    let mut rows: Vec<Case> = datagrams.iter().flat_map(Datagram::cases).collect();
    rows.extend(limits());
    rows.extend(left_alone());
    rows
}

impl Datagram {
    fn decorated(mut self, decorate: impl Fn(PacketBuilder) -> PacketBuilder) -> Self {
        self.received = decorate(self.received);
        self.sent = decorate(self.sent);
        self
    }

    fn replied(mut self) -> Self {
        self.replied = true;
        self
    }
}

/// What a fragment does not follow, and what only looks like one.
fn limits() -> Vec<Case> {
    let first = udp(CLIENT4, "203.0.113.10:53").fragment_of(110, 0, true);
    let later = |identification| {
        udp(CLIENT4, "203.0.113.10:53").without_transport().fragment_of(identification, 2, false)
    };
    let whole6 = tcp(CLIENT6, "[2001:db8:a::10]:80").fragment_of(112, 0, false);
    let sent6 =
        tcp(CLIENT6, "[fd00::11]:8080").fragment_of(112, 0, false).macs(BACKEND_MAC, BACK_MAC).ttl(63);
    vec![
        Case::drop("later fragment of another datagram", Reason::Fragment, &later(111)).after(&first),
        Case::drop(
            "later fragment of another protocol",
            Reason::Fragment,
            &tcp(CLIENT4, "203.0.113.10:80").without_transport().fragment_of(110, 2, false),
        )
        .after(&first),
        Case::drop(
            "first fragment with a header that contradicts itself",
            Reason::TransportHeader,
            &tcp(CLIENT4, "203.0.113.10:80").fragment_of(113, 0, true).claim_data_offset(4),
        ),
        Case::drop(
            "later fragment that begins with another header, IPv6",
            Reason::ExtensionHeader,
            &tcp(CLIENT6, "[2001:db8:a::10]:80").fragment_of(114, 2, false).destination_options(1),
        ),
        // RFC 6946: it is all of its datagram.
        Case::send("atomic fragment, IPv6", Action::Redirect, &whole6, &sent6),
    ]
}

/// Datagrams that are the kernel's, and so are all of their fragments.
fn left_alone() -> Vec<Case> {
    let parts = |packet: &PacketBuilder, identification| {
        let later = packet.clone().without_transport().fragment_of(identification, 2, false);
        (packet.clone().fragment_of(identification, 0, true), later)
    };
    let mut rows = Vec::new();
    for (what, identification, packet) in [
        ("another port of a VIP", 120, udp(CLIENT4, "203.0.113.10:9999")),
        ("another port of a backend", 121, udp("10.0.0.11:22", CLIENT4)),
        ("another port of a backend, IPv6", 122, udp("[fd00::11]:22", CLIENT6)),
    ] {
        let (first, later) = parts(&packet, identification);
        rows.push(Case::pass(&format!("first fragment, {what}"), &first));
        rows.push(Case::pass(&format!("later fragment, {what}"), &later).after(&first));
    }
    for (what, packet) in
        [("a backend", udp("10.0.0.11:8080", CLIENT4)), ("a backend, IPv6", udp("[fd00::11]:8080", CLIENT6))]
    {
        let (_, later) = parts(&packet, 123);
        rows.push(Case::pass(&format!("later fragment of {what} whose first was not seen"), &later));
    }
    rows
}
