//! What an ICMP error quotes: the start of a packet that went towards whoever sends the error.

use lightpath_abi::Address;

use crate::apply::addresses;
use crate::parse::extensions;
use crate::wire::{TCP, UDP, icmp, ipv4, ipv6, tcp, udp};
use crate::{Delta, Endpoints, Frame, OutOfBounds, Packet, Part, Reason, Reject};

/// Bytes of the quoted packet's transport that have to be there (RFC 792). They hold the ports.
const QUOTED_TRANSPORT: usize = 8;

/// A quoted packet of TCP or UDP, of which the first bytes are there.
pub(crate) struct Quote {
    /// Offset of its IP header.
    pub(crate) network: usize,
    /// Offset of its TCP or UDP header.
    pub(crate) transport: usize,
    /// A packet of the same flow that goes the way of the error: the way against that of the quoted one.
    pub(crate) flow: Frame,
}

/// What the error in a whole ICMP message quotes. Its lengths are those of the packet that was, so nothing is said of them.
#[inline(always)]
pub(crate) fn quoted<P: Packet>(packet: &P, error: &Frame) -> Result<Quote, Reject> {
    let cut_short = |OutOfBounds| Reject::Malformed(Reason::TransportHeader);
    let network = error.transport + icmp::LENGTH;
    let header = if error.v4 { quoted4(packet, network)? } else { quoted6(packet, network)? };
    if !matches!(header.protocol, TCP | UDP) {
        return Err(Reject::Foreign);
    }
    if header.part == Part::Later {
        return Err(Reject::Fragment);
    }
    let transport = header.payload;
    let end = error.network + error.length as usize;
    if transport + QUOTED_TRANSPORT > end {
        return Err(Reason::TransportHeader.into());
    }
    let [a, b, c, d] = packet.load(transport).map_err(cut_short)?;
    let (source_port, destination_port) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    Ok(Quote {
        network,
        transport,
        flow: Frame {
            source: header.destination,
            destination: header.source,
            source_port: destination_port,
            destination_port: source_port,
            protocol: header.protocol,
            part: Part::Quoted,
            // Nobody is told that an error was too big.
            dont_fragment: false,
            ..*error
        },
    })
}

/// What a quoted IP header says.
struct Header {
    source: Address,
    destination: Address,
    protocol: u8,
    part: Part,
    /// Offset of what it carries.
    payload: usize,
}

#[inline(always)]
fn quoted4<P: Packet>(packet: &P, offset: usize) -> Result<Header, Reject> {
    let cut_short = |OutOfBounds| Reject::Malformed(Reason::IpHeader);
    let header = ipv4::Header::load(packet, offset).map_err(cut_short)?;
    if header.version() != 4 || header.header_length() < ipv4::LENGTH {
        return Err(Reason::IpHeader.into());
    }
    Ok(Header {
        source: Address::v4(header.source()),
        destination: Address::v4(header.destination()),
        protocol: header.protocol(),
        part: if header.fragment_offset() == 0 { Part::Whole } else { Part::Later },
        payload: offset + header.header_length(),
    })
}

#[inline(always)]
fn quoted6<P: Packet>(packet: &P, offset: usize) -> Result<Header, Reject> {
    let cut_short = |OutOfBounds| Reject::Malformed(Reason::IpHeader);
    let header = ipv6::Header::load(packet, offset).map_err(cut_short)?;
    if header.version() != 6 {
        return Err(Reason::IpHeader.into());
    }
    if header.source().is_v4() || header.destination().is_v4() {
        return Err(Reject::Foreign);
    }
    let behind = extensions::<true, P>(packet, offset + ipv6::LENGTH, header.next_header())?;
    Ok(Header {
        source: header.source(),
        destination: header.destination(),
        protocol: behind.protocol,
        part: behind.part,
        payload: offset + ipv6::LENGTH + behind.skipped,
    })
}

impl Quote {
    /// Rewrites the quoted packet as its flow is, and with it and the addresses of the error itself the checksum of the message.
    #[inline(always)]
    pub(crate) fn rewrite_message<P: Packet>(
        &self,
        error: &Frame,
        flow: &Endpoints,
        new: &Endpoints,
        packet: &mut P,
    ) -> Result<(), OutOfBounds> {
        let mut delta = self.rewrite(flow, packet)?;
        if !error.v4 {
            // ICMPv6 covers the addresses of the message itself (RFC 4443, 2.3).
            delta = delta.and(addresses(error, new));
        }
        let header = icmp::Header::load(packet, error.transport)?;
        header.with_checksum(delta.apply(header.checksum())).store(packet, error.transport)
    }

    /// Whether the quoted IP header has neither options nor extension headers.
    #[inline(always)]
    pub(crate) const fn is_plain(&self) -> bool {
        self.transport - self.network == if self.flow.v4 { ipv4::LENGTH } else { ipv6::LENGTH }
    }

    /// Rewrites the quoted packet as the flow is rewritten, so that whoever gets the error finds a packet of its own in it. What that
    /// changes in the sum of the message.
    ///
    /// The checksums inside are those of a packet that exists no more, but some receivers look at them (RFC 5508, 4.2).
    #[inline(always)]
    fn rewrite<P: Packet>(&self, new: &Endpoints, packet: &mut P) -> Result<Delta, OutOfBounds> {
        let flow = &self.flow;
        let addresses = addresses(flow, new);
        let mut message = addresses.and(self.rewrite_transport(addresses, new, packet)?);
        if flow.v4 {
            let (source, destination) = (new.destination.low32(), new.source.low32());
            let old = ipv4::Header::load(packet, self.network)?.checksum();
            let checksum = addresses.apply(old);
            ipv4::store_addresses(packet, self.network, checksum, source, destination)?;
            message = message.replace16(old, checksum);
        } else {
            ipv6::store_source(packet, self.network, new.destination)?;
            ipv6::store_destination(packet, self.network, new.source)?;
        }
        Ok(message)
    }

    /// Rewrites the ports, and the checksum if there is one and it is quoted, which depends on the addresses too. What ports and
    /// checksum change in the sum of the message.
    #[inline(always)]
    pub(crate) fn rewrite_transport<P: Packet>(
        &self,
        addresses: Delta,
        new: &Endpoints,
        packet: &mut P,
    ) -> Result<Delta, OutOfBounds> {
        let flow = &self.flow;
        let both = |source: u16, destination: u16| u32::from(source) << 16 | u32::from(destination);
        let old_ports = both(flow.destination_port, flow.source_port);
        let new_ports = both(new.destination_port, new.source_port);
        let ports = Delta::new().replace32(old_ports, new_ports);

        packet.store(self.transport, new_ports.to_be_bytes())?;
        let place = self.transport + if flow.protocol == TCP { tcp::CHECKSUM } else { udp::CHECKSUM };
        if place + 2 > flow.network + flow.length as usize {
            return Ok(ports);
        }
        let old = u16::from_be_bytes(packet.load(place)?);
        if flow.protocol == UDP && old == 0 {
            return Ok(ports);
        }
        // See `transport` in apply.rs.
        let checksum = match addresses.and(ports).apply(old) {
            0 if flow.protocol == UDP => 0xffff,
            checksum => checksum,
        };
        packet.store(place, checksum.to_be_bytes())?;
        Ok(ports.replace16(old, checksum))
    }
}
