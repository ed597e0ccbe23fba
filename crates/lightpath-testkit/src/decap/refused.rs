//! Packets in tunnels that are not unwrapped, and packets that are none of the tunnel's end's business.

use lightpath_core::{Format, Refusal};

use super::cases::DecapCase;
use super::tunnel::Tunnel;
use crate::build::refresh_header_checksum;
use crate::packet::{PacketBuilder, arp, icmp_echo, tcp, udp};

/// Offset of the outer IP header.
const OUTER: usize = 14;

pub(super) fn cases() -> Vec<DecapCase> {
    let mut rows: Vec<DecapCase> =
        Tunnel::all().iter().flat_map(|tunnel| [tunnel.addresses(), tunnel.inside()].concat()).collect();
    for tunnel in Tunnel::all() {
        rows.extend(if tunnel.outer_v4 { tunnel.outside4() } else { tunnel.outside6() });
        if tunnel.format == Format::Gue {
            rows.extend(tunnel.gue());
        }
    }
    rows
}

/// A packet with some of its bytes changed.
fn edited(mut packet: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    packet[at..at + bytes.len()].copy_from_slice(bytes);
    packet
}

/// The same in the outer IPv4 header, whose checksum stays right.
fn in_outer4(packet: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut packet = edited(packet, OUTER + at, bytes);
    refresh_header_checksum(&mut packet[OUTER..]);
    packet
}

/// Puts bytes into a packet.
fn with_inserted(mut packet: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    packet.splice(at..at, bytes.iter().copied());
    packet
}

impl Tunnel {
    fn refuse(&self, what: &str, refusal: Refusal, packet: Vec<u8>) -> DecapCase {
        DecapCase::refuse(&format!("{}: {what}", self.label()), refusal, packet)
    }

    fn plain(&self) -> Vec<u8> {
        self.around(self.inner()).build()
    }

    /// Offset behind the outer IP header.
    fn payload(&self) -> usize {
        OUTER + if self.outer_v4 { 20 } else { 40 }
    }

    /// Offset of the packet inside.
    fn inside_at(&self) -> usize {
        let gue = if self.with_header { 12 } else { 8 };
        self.payload() + if self.format == Format::Gue { gue } else { 0 }
    }

    /// Bytes from the outer IP header on.
    fn length(&self) -> u16 {
        u16::try_from(self.plain().len() - OUTER).expect("a short packet")
    }

    fn addresses(&self) -> Vec<DecapCase> {
        let (host, elsewhere, inner) = if self.outer_v4 {
            ("10.0.0.40", ["10.0.0.2", "11.7.0.1", "10.0.0.40"], self.inner())
        } else {
            ("fd00::40", ["fd00::2", "fd00:8::1", "fd00::40"], self.inner())
        };
        let mut rows: Vec<DecapCase> = elsewhere
            .iter()
            .map(|source| {
                let packet = self.between(inner.clone(), source, host).build();
                self.refuse(&format!("from {source}"), Refusal::UnlistedSource, packet)
            })
            .collect();
        let other = if self.inner_v4 {
            tcp("198.51.100.10:4000", "203.0.113.31:80")
        } else {
            tcp("[2001:db8:1::10]:4000", "[2001:db8:a::31]:80")
        };
        rows.push(self.refuse(
            "a VIP that the host does not have",
            Refusal::NotLocal,
            self.around(other).build(),
        ));
        rows
    }

    /// What is wrong with the packet inside.
    fn inside(&self) -> Vec<DecapCase> {
        let at = self.inside_at();
        let around = |packet: PacketBuilder| self.around(packet).build();
        let short = self.payload() + if self.format == Format::Gue { 8 } else { 0 };
        let mut rows = vec![
            // The length that the outer header states is that of the whole packet.
            self.refuse("longer than its tunnel", Refusal::InnerLength, {
                let longer = self.inner_length() + 1;
                // Ethernet's padding is not part of it.
                around(self.inner().padding(8).claim_ip_length(longer))
            }),
            self.refuse(
                "as long as can be",
                Refusal::InnerLength,
                around(self.inner().claim_ip_length(65_535)),
            ),
            self.refuse("nothing inside", Refusal::InnerLength, self.cut_to(short)),
            self.refuse("an IP header that is cut short", Refusal::InnerLength, self.cut_to(at + 19)),
        ];
        let version = if self.inner_v4 { 6 } else { 4 };
        if self.format == Format::Ipip || self.with_header {
            let other = around(self.inner().claim_version(version));
            rows.push(self.refuse("of the other version", Refusal::InnerHeader, other));
            rows.push(self.refuse(
                "of no version",
                Refusal::InnerHeader,
                around(self.inner().claim_version(0)),
            ));
        }
        if self.inner_v4 {
            let words = around(self.inner().claim_header_words(4));
            rows.push(self.refuse("a header that is too short", Refusal::InnerHeader, words));
            let length = around(self.inner().claim_ip_length(19));
            rows.push(self.refuse("shorter than its header", Refusal::InnerLength, length));
            let words = around(self.inner().ip_options(&[1; 4]).claim_ip_length(23));
            rows.push(self.refuse("shorter than its options", Refusal::InnerLength, words));
        } else {
            // To an IPv4 address of the host, as IPv6 writes it.
            let mapped = [&[0; 10][..], &[0xff, 0xff, 203, 0, 113, 30]].concat();
            let packet = edited(self.plain(), at + 24, &mapped);
            rows.push(self.refuse("to an IPv4-mapped address", Refusal::InnerHeader, packet));
        }
        rows
    }

    fn inner_length(&self) -> u16 {
        let length = u16::try_from(self.inner().build().len() - 14).expect("a short packet");
        if self.inner_v4 { length } else { length - 40 }
    }

    /// The tunnel's packet ends at this offset, and its outer lengths say so.
    fn cut_to(&self, end: usize) -> Vec<u8> {
        let mut packet = self.plain();
        packet.truncate(end);
        let length = u16::try_from(end - OUTER).expect("a short packet");
        if self.format == Format::Gue {
            let udp = u16::try_from(end - self.payload()).expect("a short packet");
            packet = edited(packet, self.payload() + 4, &udp.to_be_bytes());
        }
        if self.outer_v4 {
            in_outer4(packet, 2, &length.to_be_bytes())
        } else {
            edited(packet, OUTER + 4, &(length - 40).to_be_bytes())
        }
    }

    /// What is wrong with an outer IPv4 header.
    fn outside4(&self) -> Vec<DecapCase> {
        use Refusal::{OuterFragment, OuterHeader, OuterLength, OuterOptions};
        let plain = || self.plain();
        let length = self.length();
        let checksum = u16::from_be_bytes([plain()[OUTER + 10], plain()[OUTER + 11]]);
        let options = {
            let packet = in_outer4(plain(), 2, &(length + 4).to_be_bytes());
            in_outer4(with_inserted(packet, OUTER + 20, &[1; 4]), 0, &[0x46])
        };
        let mut rows = vec![
            self.refuse("another outer version", OuterHeader, in_outer4(plain(), 0, &[0x55])),
            self.refuse("a wrong outer checksum", OuterHeader, {
                edited(plain(), OUTER + 10, &(checksum ^ 1).to_be_bytes())
            }),
            self.refuse("outer options", OuterOptions, options),
            self.refuse("a first outer fragment", OuterFragment, in_outer4(plain(), 6, &[0x20, 0])),
            self.refuse("longer than the frame", OuterLength, {
                in_outer4(plain(), 2, &(length + 1).to_be_bytes())
            }),
            self.refuse("shorter than the outer header", OuterLength, in_outer4(plain(), 2, &[0, 19])),
        ];
        let later = in_outer4(plain(), 6, &[0, 3]);
        let what = format!("{}: a later outer fragment", self.label());
        rows.push(match self.format {
            Format::Ipip => DecapCase::refuse(&what, OuterFragment, later),
            // Without a port it is any UDP packet's.
            Format::Gue => DecapCase::pass(&what, later),
        });
        if self.format == Format::Ipip {
            rows.push(self.refuse("outer header words that are too few", OuterHeader, {
                in_outer4(plain(), 0, &[0x44])
            }));
        }
        rows
    }

    /// What is wrong with an outer IPv6 header.
    fn outside6(&self) -> Vec<DecapCase> {
        use Refusal::{OuterFragment, OuterHeader, OuterLength, OuterOptions};
        let plain = || self.plain();
        let behind = |number: u8, header: [u8; 8]| {
            let length = self.length() - 40 + 8;
            let [high, low] = length.to_be_bytes();
            edited(with_inserted(plain(), self.payload(), &header), OUTER + 4, &[high, low, number])
        };
        let protocol = plain()[OUTER + 6];
        let longer = (self.length() - 40 + 1).to_be_bytes();
        let mut rows = vec![
            self.refuse("another outer version", OuterHeader, edited(plain(), OUTER, &[0x50])),
            self.refuse("longer than the frame", OuterLength, edited(plain(), OUTER + 4, &longer)),
        ];
        // The option that limits nesting (RFC 2473, 4.1.1), as the kernel's own tunnels add it.
        let options = behind(60, [protocol, 0, 4, 1, 4, 1, 1, 0]);
        let fragment = behind(44, [protocol, 0, 0, 1, 0, 0, 0, 9]);
        rows.extend(match self.format {
            Format::Ipip => [
                self.refuse("outer options", OuterOptions, options),
                self.refuse("an outer fragment", OuterFragment, fragment),
            ],
            Format::Gue => [("outer options", options), ("an outer fragment", fragment)]
                .map(|(what, packet)| DecapCase::pass(&format!("{}: {what}", self.label()), packet)),
        });
        rows
    }

    /// What is wrong with the headers of UDP and GUE.
    fn gue(&self) -> Vec<DecapCase> {
        use Refusal::{GueHeader, OuterLength};
        let udp_length = |length: u16| edited(self.plain(), self.payload() + 4, &length.to_be_bytes());
        let all = u16::try_from(self.plain().len() - self.payload()).expect("a short packet");
        let first = |byte: u8| edited(self.plain(), self.payload() + 8, &[byte]);
        let mut rows = vec![
            self.refuse("a UDP length that is too short", OuterLength, udp_length(7)),
            self.refuse("a UDP length that is too long", OuterLength, udp_length(all + 1)),
            self.refuse(
                "a UDP length that ends within the packet",
                Refusal::InnerLength,
                udp_length(all - 1),
            ),
            self.refuse("variant 2", GueHeader, first(0x80)),
            self.refuse("variant 3", GueHeader, first(0xc0)),
            self.refuse("IP version 5", GueHeader, first(0x55)),
            self.refuse("IP version 7", GueHeader, first(0x70)),
        ];
        if self.with_header {
            let header = |header: [u8; 4]| self.around(self.inner()).gue_header(&header).build();
            let protocol = self.protocol();
            rows.extend([
                self.refuse("a control message", GueHeader, header([0x20, protocol, 0, 0])),
                self.refuse("a flag", GueHeader, header([0, protocol, 0x80, 0])),
                self.refuse("another flag", GueHeader, header([0, protocol, 0, 1])),
                self.refuse("another protocol", GueHeader, header([0, 6, 0, 0])),
                self.refuse("a header longer than the tunnel", Refusal::InnerLength, {
                    let mut packet = header([31, protocol, 0, 0]);
                    packet.resize(packet.len() + 60, 0);
                    packet
                }),
            ]);
        }
        rows
    }
}

/// What is the kernel's.
pub(super) fn passed() -> Vec<DecapCase> {
    let mut rows = vec![
        DecapCase::pass("TCP", tcp("198.51.100.10:4000", "203.0.113.30:80").build()),
        DecapCase::pass("TCP over IPv6", tcp("[2001:db8:1::10]:4000", "[2001:db8:a::30]:80").build()),
        DecapCase::pass("TCP from a listed source", tcp("10.0.0.1:4000", "10.0.0.40:22").build()),
        DecapCase::pass("UDP to another port", udp("10.0.0.1:4000", "10.0.0.40:6081").build()),
        DecapCase::pass("UDP from the port of GUE", udp("10.0.0.1:6080", "10.0.0.40:53").build()),
        DecapCase::pass("TCP to the port of GUE", tcp("10.0.0.1:4000", "10.0.0.40:6080").build()),
        DecapCase::pass("ICMP", icmp_echo("10.0.0.1", "10.0.0.40").build()),
        DecapCase::pass("ICMPv6", icmp_echo("fd00::1", "fd00::40").build()),
        DecapCase::pass("ARP", arp("10.0.0.1", "10.0.0.40")),
        DecapCase::pass("an extension header", tcp("[fd00::1]:1", "[fd00::40]:2").hop_by_hop(1).build()),
    ];
    for tunnel in Tunnel::all() {
        let host = if tunnel.outer_v4 { ("10.0.0.1", "10.0.0.41") } else { ("fd00::1", "fd00::41") };
        let packet = tunnel.between(tunnel.inner(), host.0, host.1).build();
        rows.push(DecapCase::pass(&format!("{}: a tunnel to another host", tunnel.label()), packet));
        if !tunnel.outer_v4 {
            // The listed IPv4 address, as IPv6 writes it.
            let packet = tunnel.between(tunnel.inner(), "::ffff:10.0.0.1", "fd00::40").build();
            rows.push(DecapCase::pass(&format!("{}: from an IPv4-mapped address", tunnel.label()), packet));
        }
    }
    rows
}
