//! The frames that are measured with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use etherparse::PacketBuilder;

/// A kind of packet, as one of a flow between a client and the service of every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Over IPv6.
    pub(super) v6: bool,
    /// UDP, else TCP.
    pub(super) udp: bool,
    /// Which of a flow's packets.
    pub(super) kind: Kind,
}

/// Which of a flow's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A client's, in the middle of a connection.
    Established,
    /// A client's that opens a connection.
    Opening,
    /// A backend's answer.
    Reply,
    /// To an address that is no service's.
    Nobodys,
}

/// Where clients are; flows differ in the last 16 bits.
pub(super) const CLIENT4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);
/// The same in IPv6.
pub(super) const CLIENT6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0xc, 0, 0, 0, 0x10);
/// The service.
pub(super) const VIP4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
/// The same in IPv6.
pub(super) const VIP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0xf, 0, 0, 0, 0x10);
/// Port of the service and of its backends.
pub(super) const PORT: u16 = 80;

const CLIENT_PORT: u16 = 40_000;
const NOBODY4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 99);
const NOBODY6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0xf, 0, 0, 0, 0x99);
/// Of the balancer, on the interface where packets arrive.
pub(super) const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// Of whoever is at the other end.
pub(super) const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const TTL: u8 = 64;
/// The shortest that Ethernet carries, without its checksum, and a little: what the packet source restores.
const LENGTH: usize = 64;
/// What fills a datagram up to that.
const PAYLOAD: [u8; LENGTH - 14 - 20 - 8] = [0; LENGTH - 14 - 20 - 8];

/// The address of a backend, numbered from 1.
pub(super) fn backend(v6: bool, number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    if v6 {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 1, number).into()
    } else {
        Ipv4Addr::new(10, 1, high, low).into()
    }
}

/// A datagram to an IPv4 address that is correct whatever its source port is: in IPv4, UDP need have no checksum (RFC 768).
pub(super) fn datagram(to: Ipv4Addr) -> Result<Vec<u8>> {
    const CHECKSUM: usize = 14 + 20 + 6;
    let mut bytes = Vec::new();
    let link = PacketBuilder::ethernet2(PEER_MAC, OWN_MAC);
    link.ipv4(CLIENT4.octets(), to.octets(), TTL).udp(CLIENT_PORT, PORT).write(&mut bytes, &PAYLOAD)?;
    bytes[CHECKSUM..CHECKSUM + 2].fill(0);
    Ok(bytes)
}

impl Frame {
    /// Its bytes, with correct checksums and no payload.
    pub(super) fn bytes(self) -> Result<Vec<u8>> {
        let (client, service, nobody): (IpAddr, IpAddr, IpAddr) = if self.v6 {
            (CLIENT6.into(), VIP6.into(), NOBODY6.into())
        } else {
            (CLIENT4.into(), VIP4.into(), NOBODY4.into())
        };
        let (from, to) = match self.kind {
            Kind::Established | Kind::Opening => (client, service),
            Kind::Reply => (backend(self.v6, 1), client),
            Kind::Nobodys => (client, nobody),
        };
        let link = PacketBuilder::ethernet2(PEER_MAC, OWN_MAC);
        let network = match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => link.ipv4(from.octets(), to.octets(), TTL),
            (from, to) => link.ipv6(as_v6(from), as_v6(to), TTL),
        };
        let (from_port, to_port) =
            if self.kind == Kind::Reply { (PORT, CLIENT_PORT) } else { (CLIENT_PORT, PORT) };
        let mut bytes = Vec::new();
        if self.udp {
            network.udp(from_port, to_port).write(&mut bytes, &[])?;
        } else {
            let segment = network.tcp(from_port, to_port, 1, u16::MAX);
            let segment = if self.kind == Kind::Opening { segment.syn() } else { segment.ack(1) };
            segment.write(&mut bytes, &[])?;
        }
        bytes.resize(bytes.len().max(LENGTH), 0);
        Ok(bytes)
    }
}

fn as_v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}
