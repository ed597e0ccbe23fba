//! What IP carries: TCP, UDP and ICMP.

use lightpath_abi::Address;

use super::{Frame, Part, Reject};
use crate::wire::{TCP, UDP, icmp, tcp, udp};
use crate::{OutOfBounds, Packet, Reason};

/// An IP header and where its payload is.
pub(super) struct Internet {
    pub(super) v4: bool,
    pub(super) offset: usize,
    pub(super) payload: usize,
    pub(super) payload_length: usize,
    pub(super) source: Address,
    pub(super) destination: Address,
    pub(super) protocol: u8,
    pub(super) ttl: u8,
    pub(super) tos: u8,
    pub(super) length: u16,
    pub(super) checksum: u16,
    pub(super) part: Part,
    pub(super) identification: u32,
    pub(super) dont_fragment: bool,
}

#[inline(always)]
pub(super) fn transport<const SLOW: bool, P: Packet>(
    packet: &P,
    internet: &Internet,
) -> Result<Frame, Reject> {
    let cut_short = |OutOfBounds| Reject::Malformed(Reason::TransportHeader);
    if internet.part == Part::Later {
        return Ok(frame(internet, &Transport::default()));
    }
    let ports;
    let (mut needed, syn, flags, sequence, checksum) = if internet.protocol == TCP {
        let header = tcp::Header::load(packet, internet.payload).map_err(cut_short)?;
        if header.header_length() < tcp::LENGTH {
            return Err(Reason::TransportHeader.into());
        }
        ports = (header.source_port(), header.destination_port());
        (header.header_length(), header.opens(), header.flags(), header.sequence(), header.checksum())
    } else if SLOW && internet.protocol != UDP {
        let header = icmp::Header::load(packet, internet.payload).map_err(cut_short)?;
        ports = (0, 0);
        (icmp::LENGTH, false, 0, 0, header.checksum())
    } else {
        let header = udp::Header::load(packet, internet.payload).map_err(cut_short)?;
        let length = header.length() as usize;
        if length < udp::LENGTH || (!internet.v4 && header.checksum() == 0) {
            return Err(Reason::TransportHeader.into());
        }
        ports = (header.source_port(), header.destination_port());
        (length, false, 0, 0, header.checksum())
    };
    if internet.part == Part::First && internet.protocol == UDP {
        // The rest of it is in other fragments.
        needed = udp::LENGTH;
    }
    if needed > internet.payload_length {
        return Err(Reason::TransportHeader.into());
    }
    let transport =
        Transport { source_port: ports.0, destination_port: ports.1, syn, flags, sequence, checksum };
    Ok(frame(internet, &transport))
}

/// What the transport header says.
#[derive(Default)]
struct Transport {
    source_port: u16,
    destination_port: u16,
    syn: bool,
    flags: u8,
    sequence: u32,
    checksum: u16,
}

#[inline(always)]
fn frame(internet: &Internet, transport: &Transport) -> Frame {
    Frame {
        network: internet.offset,
        transport: internet.payload,
        v4: internet.v4,
        source: internet.source,
        destination: internet.destination,
        source_port: transport.source_port,
        destination_port: transport.destination_port,
        protocol: internet.protocol,
        syn: transport.syn,
        flags: transport.flags,
        sequence: transport.sequence,
        part: internet.part,
        identification: internet.identification,
        dont_fragment: internet.dont_fragment,
        ttl: internet.ttl,
        tos: internet.tos,
        length: internet.length,
        network_checksum: internet.checksum,
        transport_checksum: transport.checksum,
    }
}
