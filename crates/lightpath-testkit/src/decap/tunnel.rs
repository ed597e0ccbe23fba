//! Packets in tunnels, as a balancer sends them and as nobody should.

use fastrand::Rng;
use lightpath_core::Format;

use crate::build::refresh_header_checksum;
use crate::packet::{PacketBuilder, icmp_echo, tcp, udp};

/// A way for packets from a listed source to the host: formats and families.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tunnel {
    pub(super) name: &'static str,
    pub(super) format: Format,
    /// GUE with a header of its own, which is variant 0.
    pub(super) with_header: bool,
    pub(super) inner_v4: bool,
    pub(super) outer_v4: bool,
}

const SOURCE4: &str = "10.0.0.1";
const SOURCE6: &str = "fd00::1";
const HOST4: &str = "10.0.0.40";
const HOST6: &str = "fd00::40";

impl Tunnel {
    /// Every way there is.
    pub(super) fn all() -> Vec<Self> {
        let mut tunnels = Vec::new();
        for (name, inner_v4, outer_v4) in [
            ("4 in 4", true, true),
            ("4 in 6", true, false),
            ("6 in 4", false, true),
            ("6 in 6", false, false),
        ] {
            for (format, with_header) in [(Format::Ipip, false), (Format::Gue, false), (Format::Gue, true)] {
                tunnels.push(Self { name, format, with_header, inner_v4, outer_v4 });
            }
        }
        tunnels
    }

    pub(super) fn label(&self) -> String {
        let variant = if self.with_header { " with a header" } else { "" };
        format!("{}{variant}, {}", self.format.name(), self.name)
    }

    /// A packet to a VIP of the host.
    pub(super) fn inner(&self) -> PacketBuilder {
        if self.inner_v4 {
            tcp("198.51.100.10:4000", "203.0.113.30:80")
        } else {
            tcp("[2001:db8:1::10]:4000", "[2001:db8:a::30]:80")
        }
    }

    /// The packet on its way from a listed source to the host.
    pub(super) fn around(&self, inner: PacketBuilder) -> PacketBuilder {
        let (source, host) = if self.outer_v4 { (SOURCE4, HOST4) } else { (SOURCE6, HOST6) };
        self.between(inner, source, host)
    }

    pub(super) fn between(&self, inner: PacketBuilder, source: &str, host: &str) -> PacketBuilder {
        match self.format {
            Format::Ipip => inner.in_ip(source, host),
            Format::Gue if self.with_header => {
                inner.in_gue(source, 50_000, host).gue_header(&[0, self.protocol(), 0, 0])
            }
            Format::Gue => inner.in_gue(source, 50_000, host),
        }
    }

    /// The IP protocol number of what is inside.
    pub(super) fn protocol(&self) -> u8 {
        if self.inner_v4 { 4 } else { 41 }
    }
}

/// Packets of one seed, one after another: mostly in tunnels, and many of those damaged.
#[derive(Clone, Debug)]
pub struct Tunnels(Rng);

const OUTER4: ([&str; 4], [&str; 3]) =
    (["10.0.0.1", "10.7.9.9", "10.0.0.2", "198.51.100.1"], ["10.0.0.40", "192.0.2.7", "10.0.0.41"]);
const OUTER6: ([&str; 4], [&str; 3]) =
    (["fd00::1", "fd00:7::9", "fd00::2", "2001:db8:1::1"], ["fd00::40", "2001:db8:b::7", "fd00::41"]);
const INNER4: [&str; 3] = ["203.0.113.30", "192.0.2.99", "203.0.113.31"];
const INNER6: [&str; 3] = ["2001:db8:a::30", "2001:db8:b::99", "2001:db8:a::31"];

impl Tunnels {
    /// The packets of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// The first choices are listed sources and addresses of the host; they are taken in most cases.
    fn choose<'a>(&mut self, from: &[&'a str], good: usize) -> &'a str {
        let among = if self.0.u8(..8) > 0 { good } else { from.len() };
        from[self.0.usize(..among)]
    }

    fn inner(&mut self, v4: bool) -> PacketBuilder {
        let destination = self.choose(if v4 { &INNER4 } else { &INNER6 }, 2);
        let (client, endpoint) = if v4 {
            ("198.51.100.10:4000", format!("{destination}:80"))
        } else {
            ("[2001:db8:1::10]:4000", format!("[{destination}]:80"))
        };
        let packet = match self.0.u8(..6) {
            0 => udp(client, &endpoint),
            1 => icmp_echo(if v4 { "198.51.100.10" } else { "2001:db8:1::10" }, destination),
            _ => tcp(client, &endpoint),
        };
        let packet = match self.0.u8(..6) {
            0 if v4 => packet.ip_options(&vec![1; usize::from(self.0.u8(1..=10)) * 4]),
            0 => packet.hop_by_hop(self.0.u8(1..4)),
            1 => packet.fragment(self.0.u16(..3), self.0.bool()),
            _ => packet,
        };
        let packet = match self.0.u8(..6) {
            0 => packet.vlan(self.0.u16(..4096)),
            1 => packet.qinq(self.0.u16(..4096), self.0.u16(..4096)),
            _ => packet,
        };
        let mut payload = vec![0; self.0.usize(..300)];
        self.0.fill(&mut payload);
        packet.tos(self.0.u8(..)).payload(&payload).padding(self.0.usize(..8))
    }

    fn tunnelled(&mut self) -> Vec<u8> {
        let (inner_v4, outer_v4) = (self.0.bool(), self.0.bool());
        let inner = self.inner(inner_v4);
        let (sources, hosts) = if outer_v4 { OUTER4 } else { OUTER6 };
        let (source, host) = (self.choose(&sources, 2), self.choose(&hosts, 2));
        let outer = match self.0.u8(..3) {
            0 => inner.in_ip(source, host),
            1 => inner.in_gue(source, self.0.u16(..), host),
            _ => {
                let words = self.0.u8(..4);
                let mut header = vec![words, if inner_v4 { 4 } else { 41 }, 0, 0];
                header.resize(4 + usize::from(words) * 4, self.0.u8(..));
                inner.in_gue(source, self.0.u16(..), host).gue_header(&header)
            }
        };
        let outer = if self.0.bool() { outer.outer_tos(self.0.u8(..)) } else { outer };
        outer.outer_checksum(if self.0.bool() { 0 } else { self.0.u16(..) }).build()
    }

    /// Changes a few bytes from the EtherType on, or cuts the packet.
    fn damage(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let headers = packet.len().min(130);
        for _ in 0..self.0.u8(1..3) {
            packet[self.0.usize(12..headers)] = match self.0.u8(..4) {
                0 => 0,
                1 => 0xff,
                _ => self.0.u8(..),
            };
        }
        if self.0.u8(..4) == 0 {
            packet.truncate(self.0.usize(14..packet.len()));
        }
        packet
    }

    /// Changes what the outer IPv4 header says of itself or of fragments, and its checksum with it.
    fn disguise(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        if packet[12..14] == [0x08, 0x00] {
            let at = 14 + [0, 1, 2, 3, 6, 7][self.0.usize(..6)];
            packet[at] = if at == 14 { self.0.u8(0x40..0x50) } else { self.0.u8(..) };
            refresh_header_checksum(&mut packet[14..]);
        }
        packet
    }
}

impl Iterator for Tunnels {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        Some(match self.0.u8(..8) {
            0 => self.inner(true).build(),
            1 => self.inner(false).build(),
            2..=3 => {
                let packet = self.tunnelled();
                self.damage(packet)
            }
            4 => {
                let packet = self.tunnelled();
                self.disguise(packet)
            }
            _ => self.tunnelled(),
        })
    }
}
