//! Packets that nobody thought of, from a seed.

use std::net::SocketAddr;

use fastrand::Rng;

use crate::packet::{ACK, FIN, PacketBuilder, RST, SYN, icmp, icmp_echo, tcp, udp};

/// Packets of one seed, one after another: well-formed ones, damaged ones and noise.
///
/// Addresses and ports are mostly those that [`cases::contents`](crate::cases::contents) knows, so that most packets get
/// beyond the first question asked of them.
#[derive(Clone, Debug)]
pub struct Packets(Rng);

const CLIENTS4: [&str; 8] = [
    "198.51.100.10",
    "198.51.100.99",
    "198.18.1.10",
    "198.18.2.10",
    "198.19.0.7",
    "192.0.2.7",
    "198.18.0.1",
    "198.51.100.1",
];
const CLIENTS6: [&str; 8] = [
    "2001:db8:1::10",
    "2001:db8:1::99",
    "2001:db8:2::10",
    "2001:db8:3::10",
    "2001:db8:beef::7",
    "2001:db8:dead::7",
    "2001:db8:ffff::1",
    "2001:db8:1::1",
];
const SERVICES4: [&str; 32] = [
    "203.0.113.10:80",
    "203.0.113.10:81",
    "203.0.113.10:53",
    "203.0.113.10:443",
    "203.0.113.10:15000",
    "203.0.113.10:30003",
    "203.0.113.10:90",
    "203.0.113.10:91",
    "203.0.113.10:92",
    "203.0.113.10:93",
    "203.0.113.10:94",
    "203.0.113.20:8443",
    "203.0.113.20:8500",
    "203.0.113.20:5",
    "203.0.113.10:82",
    "203.0.113.10:83",
    "203.0.113.10:95",
    "203.0.113.30:40",
    "203.0.113.30:41",
    "203.0.113.30:46",
    "203.0.113.30:47",
    "203.0.113.30:48",
    "203.0.113.31:80",
    "203.0.113.31:81",
    "203.0.113.31:90",
    "203.0.113.31:91",
    "203.0.113.40:443",
    "203.0.113.50:80",
    "203.0.113.50:81",
    "203.0.113.50:54",
    "203.0.113.50:84",
    "203.0.113.50:8003",
];
const SERVICES6: [&str; 16] = [
    "[2001:db8:a::10]:80",
    "[2001:db8:a::10]:53",
    "[2001:db8:a::10]:443",
    "[2001:db8:a::10]:81",
    "[2001:db8:a::10]:83",
    "[2001:db8:a::30]:64",
    "[2001:db8:a::30]:65",
    "[2001:db8:a::30]:66",
    "[2001:db8:a::30]:67",
    "[2001:db8:a::31]:80",
    "[2001:db8:a::31]:90",
    "[2001:db8:a::31]:91",
    "[2001:db8:a::50]:80",
    "[2001:db8:a::50]:81",
    "[2001:db8:a::50]:54",
    "[2001:db8:a::50]:85",
];
const BACKENDS4: [&str; 7] = [
    "10.0.0.11:8080",
    "10.0.0.13:5353",
    "10.0.0.16:30003",
    "10.0.0.18:8500",
    "10.0.0.19:443",
    "10.0.93.4:80",
    "10.0.0.14:443",
];
const BACKENDS6: [&str; 3] = ["[fd00::11]:8080", "[fd00::13]:5353", "[fd00::14]:443"];

/// Backends of `fullnat`, which answer to the node.
const NODES4: [(&str, &str); 5] = [
    ("10.0.0.50:8080", "10.0.0.1"),
    ("10.0.0.51:8081", "10.0.0.1"),
    ("10.0.0.54:5354", "10.0.0.1"),
    ("10.0.0.59:85", "10.0.0.1"),
    ("10.0.0.58:8003", "10.0.0.1"),
];
const NODES6: [(&str, &str); 3] =
    [("[fd00::50]:8080", "fd00::1"), ("[fd00::51]:8081", "fd00::1"), ("[fd00::54]:5354", "fd00::1")];

impl Packets {
    /// The packets of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// A packet that any network would carry, between endpoints of which one is known.
    pub fn well_formed(&mut self) -> PacketBuilder {
        let v4 = self.0.bool();
        let (source, destination) = self.endpoints(v4);
        let packet = self.segment(&source, &destination);
        self.decorated(packet, v4)
    }

    /// A client and a service, or a backend and a client.
    fn endpoints(&mut self, v4: bool) -> (String, String) {
        let rng = &mut self.0;
        // Few ports for every other packet, so that some belong to flows that were there before.
        let port = if rng.bool() { rng.u16(..) } else { rng.u16(4000..4008) };
        let known = rng.usize(..64);
        let client = if v4 {
            format!("{}:{port}", CLIENTS4[known % 6])
        } else {
            format!("[{}]:{port}", CLIENTS6[known % 6])
        };
        let (services, backends): (&[&str], &[&str]) =
            if v4 { (&SERVICES4, &BACKENDS4) } else { (&SERVICES6, &BACKENDS6) };
        let (nodes, node_port): (&[_], _) = (if v4 { &NODES4 } else { &NODES6 }, rng.u16(61_000..=61_007));
        let (backend, node) = nodes[known % nodes.len()];
        let node = if v4 { format!("{node}:{node_port}") } else { format!("[{node}]:{node_port}") };
        match rng.u8(..16) {
            0..=9 => (client, services[known % services.len()].to_owned()),
            10..=12 => (backend.to_owned(), node),
            _ => (backends[known % backends.len()].to_owned(), client),
        }
    }

    fn segment(&mut self, source: &str, destination: &str) -> PacketBuilder {
        let rng = &mut self.0;
        if rng.bool() {
            let flags = [SYN, SYN, SYN | ACK, ACK, ACK, ACK, FIN | ACK, RST];
            tcp(source, destination).flags(flags[rng.usize(..flags.len())])
        } else {
            udp(source, destination)
        }
    }

    /// ICMP: half of it errors that quote some of a packet that might have gone the other way, mostly sent to whoever sent that.
    pub fn message(&mut self) -> PacketBuilder {
        let v4 = self.0.bool();
        let (source, destination) = self.endpoints(v4);
        let host = |endpoint: &str| {
            let address: SocketAddr = endpoint.parse().expect("an address and port");
            address.ip().to_string()
        };
        if self.0.bool() {
            let echo = icmp_echo(&host(&source), &host(&destination));
            return self.decorated(echo, v4);
        }
        let quoted = self.segment(&destination, &source);
        let quoted = self.decorated(quoted, v4);
        let rng = &mut self.0;
        let router = if v4 { "192.0.2.77" } else { "2001:db8:77::1" };
        let other = if v4 { "203.0.113.10" } else { "2001:db8:a::10" };
        let told = if rng.u8(..10) == 0 { other.to_owned() } else { host(&destination) };
        let kind = if v4 { [3, 3, 3, 11, 12, 5, 0][rng.usize(..7)] } else { rng.u8(1..6) };
        let length = [20, 28, 48, 60, 100, 548][rng.usize(..6)] + rng.usize(..9);
        let (code, rest) = (rng.u8(..6), rng.u32(..));
        let tos = rng.u8(..);
        let error = icmp(kind, code, rest, router, &told).quoting(&quoted, length).tos(tos);
        match self.0.u8(..6) {
            0 => error.vlan(7),
            1 if v4 => error.ip_options(&[1; 8]),
            1 => error.hop_by_hop(1),
            _ => error,
        }
    }

    fn decorated(&mut self, mut packet: PacketBuilder, v4: bool) -> PacketBuilder {
        let rng = &mut self.0;
        match rng.u8(..6) {
            0 => packet = packet.vlan(rng.u16(..4096)),
            1 => packet = packet.qinq(rng.u16(..4096), rng.u16(..4096)),
            _ => {}
        }
        match rng.u8(..8) {
            0 if v4 => packet = packet.ip_options(&vec![1; usize::from(rng.u8(1..=10)) * 4]),
            0 => packet = packet.hop_by_hop(rng.u8(1..4)),
            1 if !v4 => packet = packet.destination_options(rng.u8(1..4)).routing(rng.u8(..2)),
            2 => {
                let (offset, more) = (rng.u16(..3), rng.bool());
                // Few identifications, so that some fragments meet the first of their datagram.
                packet = packet.fragment_of(rng.u16(..4), offset, more);
                if offset > 0 {
                    packet = packet.without_transport();
                }
            }
            _ => {}
        }
        if rng.u8(..10) == 0 {
            packet = packet.ttl(rng.u8(..3));
        }
        let longest = [8, 64, 1300, 1480][rng.usize(..4)];
        let mut payload = vec![0; rng.usize(..longest)];
        rng.fill(&mut payload);
        if rng.u8(..4) == 0 {
            packet = packet.may_be_fragmented();
        }
        packet.tos(rng.u8(..)).payload(&payload).padding(rng.usize(..8))
    }

    /// A packet that was well-formed until a few of its bytes changed, or its end went missing.
    pub fn damaged(&mut self) -> Vec<u8> {
        let packet = if self.0.u8(..4) == 0 { self.message() } else { self.well_formed() };
        let mut packet = packet.build();
        let rng = &mut self.0;
        let headers = packet.len().min(150);
        for _ in 0..rng.u8(1..4) {
            // The MAC addresses are nobody's business; from the EtherType on every byte is.
            packet[rng.usize(12..headers)] = match rng.u8(..4) {
                0 => 0,
                1 => 0xff,
                _ => rng.u8(..),
            };
        }
        if rng.u8(..4) == 0 {
            packet.truncate(rng.usize(14..packet.len()));
        }
        packet
    }

    /// Noise of at least an Ethernet header, often with the EtherType of IP.
    pub fn noise(&mut self) -> Vec<u8> {
        let rng = &mut self.0;
        let mut packet = vec![0; rng.usize(14..200)];
        rng.fill(&mut packet);
        match rng.u8(..4) {
            0 => packet[12..14].copy_from_slice(&[0x08, 0x00]),
            1 => packet[12..14].copy_from_slice(&[0x86, 0xdd]),
            _ => {}
        }
        packet
    }
}

impl Iterator for Packets {
    type Item = Vec<u8>;

    /// Half of them well-formed, one in five of these ICMP; three in eight damaged, the rest noise.
    fn next(&mut self) -> Option<Vec<u8>> {
        Some(match self.0.u8(..40) {
            0..=15 => self.well_formed().build(),
            16..=19 => self.message().build(),
            20..=34 => self.damaged(),
            _ => self.noise(),
        })
    }
}
