//! What an ICMP error quotes, as far as it is plain to see.

use std::net::IpAddr;

use lightpath_abi::Address;
use lightpath_core::wire::{TCP, tcp, udp};
use lightpath_core::{Frame, Part};

/// A quoted packet of TCP or UDP. Offsets are those in the frame.
pub(super) struct Quote {
    pub(super) network: usize,
    pub(super) transport: usize,
    /// Of the checksum of its TCP or UDP header, if that much is quoted.
    pub(super) checksum: Option<usize>,
    /// A packet of its flow that goes the way of the error.
    pub(super) flow: Frame,
}

/// What an error in a frame quotes, unless it takes more than a look: nothing but an IP header, of which IPv6's is the shortest,
/// stands before the ports.
pub(super) fn plain_quote(packet: &[u8], error: &Frame) -> Option<Quote> {
    let network = error.transport + 8;
    let end = error.network + usize::from(error.length);
    let header = packet.get(network..end)?;
    let (header_length, protocol, [source, destination]) = if error.v4 {
        let fixed: &[u8; 20] = header.first_chunk()?;
        let is_later = u16::from_be_bytes([fixed[6], fixed[7]]) & 0x1fff != 0;
        let words = usize::from(fixed[0] & 0x0f);
        if fixed[0] >> 4 != 4 || words < 5 || is_later {
            return None;
        }
        (words * 4, fixed[9], [address::<4>(&fixed[12..])?, address::<4>(&fixed[16..])?])
    } else {
        let fixed: &[u8; 40] = header.first_chunk()?;
        let ends = [address::<16>(&fixed[8..])?, address::<16>(&fixed[24..])?];
        if fixed[0] >> 4 != 6 || ends.iter().any(|end| end.is_v4()) {
            return None;
        }
        (40, fixed[6], ends)
    };
    let transport = network + header_length;
    let ports: &[u8; 8] = packet.get(transport..end)?.first_chunk()?;
    let checksum = match protocol {
        TCP => transport + tcp::CHECKSUM,
        17 => transport + udp::CHECKSUM,
        _ => return None,
    };
    let flow = Frame {
        source: destination,
        destination: source,
        source_port: u16::from_be_bytes([ports[2], ports[3]]),
        destination_port: u16::from_be_bytes([ports[0], ports[1]]),
        protocol,
        part: Part::Quoted,
        dont_fragment: false,
        ..*error
    };
    Some(Quote { network, transport, checksum: (checksum + 2 <= end).then_some(checksum), flow })
}

fn address<const N: usize>(bytes: &[u8]) -> Option<Address>
where
    IpAddr: From<[u8; N]>,
{
    Some(IpAddr::from(*bytes.first_chunk::<N>()?).into())
}
