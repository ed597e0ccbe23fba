//! Packets that come out of their tunnel.

use lightpath_core::Refusal;

use super::cases::DecapCase;
use super::tunnel::Tunnel;
use crate::packet::{PacketBuilder, icmp_echo, udp};

const NOT_ECT: u8 = 0b00;
const ECT1: u8 = 0b01;
const ECT0: u8 = 0b10;
const CE: u8 = 0b11;

pub(super) fn cases() -> Vec<DecapCase> {
    Tunnel::all().iter().flat_map(|tunnel| [tunnel.cases(), congestion(tunnel)].concat()).collect()
}

impl Tunnel {
    fn cases(&self) -> Vec<DecapCase> {
        let mut rows = vec![
            self.with("a plain packet", |packet| packet),
            self.with("no payload", |packet| packet.payload(b"")),
            self.with("an odd payload", |packet| packet.payload(b"odd")),
            self.with("a large packet", |packet| packet.payload(&vec![7; 1300])),
            self.with("padding stays", |packet| packet.payload(b"").padding(6)),
            self.with("a tag stays", |packet| packet.vlan(5)),
            self.with("two tags stay", |packet| packet.qinq(7, 8)),
            self.with("the TTL stays", |packet| packet.ttl(1)),
            self.with("a fragment", |packet| packet.fragment(2, true)),
            self.with("congestion marked before the tunnel", |packet| packet.tos(0b1011_1000 | CE)),
            self.row("an address in a network of the host's", &self.toward_network()),
            self.row("a datagram", &self.datagram()),
            self.row("an echo request", &self.echo()),
            DecapCase::unwrap(
                &format!("{}: a source in a listed network", self.label()),
                self.format,
                &self.through_network(),
                &self.inner(),
            ),
            DecapCase::unwrap(
                &format!("{}: the packet's DSCP stays, whatever the tunnel's is", self.label()),
                self.format,
                &self.around(self.inner().tos(0b0010_1000)).outer_tos(0b1011_1000),
                &self.inner().tos(0b0010_1000),
            ),
        ];
        if self.inner_v4 {
            rows.push(self.with("IP options", |packet| packet.ip_options(&[1; 40])));
        } else {
            rows.push(self.with("extension headers", |packet| packet.hop_by_hop(1).destination_options(2)));
        }
        let gue = |what: &str, packet: PacketBuilder| {
            let what = format!("{}: {what}", self.label());
            DecapCase::unwrap(&what, self.format, &packet, &self.inner())
        };
        if self.format == lightpath_core::Format::Gue {
            rows.push(gue("any UDP checksum", self.around(self.inner()).outer_checksum(0x1234)));
        }
        if self.with_header {
            let private = |words: u8| {
                let mut header = vec![words, self.protocol(), 0, 0];
                header.resize(4 + usize::from(words) * 4, 0xee);
                self.around(self.inner()).gue_header(&header)
            };
            rows.push(gue("private data", private(2)));
            rows.push(gue("as much private data as there can be", private(31)));
        }
        rows
    }

    fn with(&self, what: &str, decorate: impl Fn(PacketBuilder) -> PacketBuilder) -> DecapCase {
        self.row(what, &decorate(self.inner()))
    }

    fn row(&self, what: &str, inner: &PacketBuilder) -> DecapCase {
        let what = format!("{}: {what}", self.label());
        DecapCase::unwrap(&what, self.format, &self.around(inner.clone()), inner)
    }

    fn toward_network(&self) -> PacketBuilder {
        if self.inner_v4 {
            udp("198.51.100.10:4000", "192.0.2.200:53")
        } else {
            udp("[2001:db8:1::10]:4000", "[2001:db8:b::200]:53")
        }
    }

    fn datagram(&self) -> PacketBuilder {
        if self.inner_v4 {
            udp("198.51.100.10:4000", "203.0.113.30:53").no_checksum()
        } else {
            udp("[2001:db8:1::10]:4000", "[2001:db8:a::30]:53")
        }
    }

    fn echo(&self) -> PacketBuilder {
        if self.inner_v4 {
            icmp_echo("198.51.100.10", "203.0.113.30")
        } else {
            icmp_echo("2001:db8:1::10", "2001:db8:a::30")
        }
    }

    fn through_network(&self) -> PacketBuilder {
        let (source, host) =
            if self.outer_v4 { ("10.7.255.1", "10.0.0.40") } else { ("fd00:7::ffff", "fd00::40") };
        self.between(self.inner(), source, host)
    }
}

/// RFC 6040, figure 4: a row for each field of the packet, a column for each of the tunnel.
fn congestion(tunnel: &Tunnel) -> Vec<DecapCase> {
    let columns = [NOT_ECT, ECT0, ECT1, CE];
    let table = [
        (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
        (ECT0, [Some(ECT0), Some(ECT0), Some(ECT1), Some(CE)]),
        (ECT1, [Some(ECT1), Some(ECT1), Some(ECT1), Some(CE)]),
        (CE, [Some(CE); 4]),
    ];
    let dscp = 0b1011_1000;
    let mut rows = Vec::new();
    for (inner, expected) in table {
        for (outer, left) in columns.into_iter().zip(expected) {
            let what = format!("{}: ECN {inner:02b} in {outer:02b}", tunnel.label());
            let packet = tunnel.around(tunnel.inner().tos(dscp | inner)).outer_tos(dscp | outer);
            rows.push(match left {
                Some(ecn) => {
                    DecapCase::unwrap(&what, tunnel.format, &packet, &tunnel.inner().tos(dscp | ecn))
                }
                None => DecapCase::refuse(&what, Refusal::Congestion, packet.build()),
            });
        }
    }
    rows
}
