//! From one version of IP to the other, field by field (RFC 7915, sections 4.1 and 5.1).

use lightpath_abi::{Address, Features, NextHop};

use crate::wire::{TCP, ethernet, ipv4, ipv6, tcp, udp};
use crate::{Delta, Endpoints, Frame, OutOfBounds, Packet};

/// Replaces a packet's IP header by one of the other version, and whatever Ethernet header was before it. The transport header
/// follows the old one at once, and has a checksum.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "headers are short")]
pub(crate) fn translate<P: Packet>(
    frame: &Frame,
    new: &Endpoints,
    ttl: u8,
    hop: Option<&NextHop>,
    packet: &mut P,
    features: Features,
) -> Result<(), OutOfBounds> {
    let payload_length = frame.length - (frame.transport - frame.network) as u16;
    transport(frame, new, packet)?;
    let to_v4 = !frame.v4;
    let tags = Tags::load(frame, packet, features)?;
    let network = hop.map_or(frame.network, ethernet::header_length);
    let headers = network + header_length(to_v4);
    if headers > frame.transport {
        packet.push(headers - frame.transport)?;
    } else {
        packet.pull(frame.transport - headers)?;
    }
    tags.store(hop, to_v4, frame, packet)?;
    let fields = Fields { tos: frame.tos, ttl, protocol: frame.protocol, length: payload_length };
    fields.store(new.source, new.destination, packet, network)?;
    Ok(())
}

/// Bytes of an IP header without options.
#[inline(always)]
pub(crate) const fn header_length(v4: bool) -> usize {
    if v4 { ipv4::LENGTH } else { ipv6::LENGTH }
}

/// What the headers of both versions say alike.
pub(crate) struct Fields {
    /// Type of service, or traffic class.
    pub(crate) tos: u8,
    /// TTL, or hop limit.
    pub(crate) ttl: u8,
    /// What follows the header.
    pub(crate) protocol: u8,
    /// Bytes that follow it.
    pub(crate) length: u16,
}

impl Fields {
    /// Stores them as a header of the addresses' version. What comes into a sum with it.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "headers are short")]
    pub(crate) fn store<P: Packet>(
        &self,
        source: Address,
        destination: Address,
        packet: &mut P,
        offset: usize,
    ) -> Result<Delta, OutOfBounds> {
        let &Self { tos, ttl, protocol, length } = self;
        if source.is_v4() {
            let (source, destination) = (source.low32(), destination.low32());
            let length = length.saturating_add(ipv4::LENGTH as u16);
            ipv4::Fresh { tos, length, protocol, source, destination }.store_with(packet, offset, ttl)?;
            // With its checksum it sums up to nothing.
            return Ok(Delta::new());
        }
        let header = ipv6::Fresh {
            traffic_class: tos,
            flow_label: 0,
            payload_length: length,
            next_header: protocol,
            source,
            destination,
        };
        header.store_with(packet, offset, ttl)?;
        Ok(header.added(ttl))
    }
}

/// Stores the ports, and what the transport checksum becomes. Of the pseudo-header only the addresses differ: length and protocol
/// sum up alike in both versions (RFC 8200, 8.1).
#[inline(always)]
fn transport<P: Packet>(frame: &Frame, new: &Endpoints, packet: &mut P) -> Result<(), OutOfBounds> {
    let ports = |source: u16, destination: u16| u32::from(source) << 16 | u32::from(destination);
    let old_ports = ports(frame.source_port, frame.destination_port);
    let new_ports = ports(new.source_port, new.destination_port);
    let delta = Delta::new().replace32(old_ports, new_ports);
    let checksum = delta.and(addresses(frame, new)).apply(frame.transport_checksum);
    packet.store(frame.transport, new_ports.to_be_bytes())?;
    if frame.protocol == TCP {
        return packet.store(frame.transport + tcp::CHECKSUM, checksum.to_be_bytes());
    }
    let checksum = if checksum == 0 { 0xffff } else { checksum };
    packet.store(frame.transport + udp::CHECKSUM, checksum.to_be_bytes())
}

/// How new addresses of the other version change a sum that the old ones are in.
#[inline(always)]
pub(crate) fn addresses(frame: &Frame, new: &Endpoints) -> Delta {
    let delta = replace(Delta::new(), frame.v4, frame.source, new.source);
    replace(delta, frame.v4, frame.destination, new.destination)
}

/// An address becomes one of the other version.
#[inline(always)]
fn replace(delta: Delta, from_v4: bool, old: Address, new: Address) -> Delta {
    if from_v4 {
        delta.replace32(old.low32(), 0).add64(new.high).add64(new.low)
    } else {
        delta.replace64(old.high, 0).replace64(old.low, 0).add32(new.low32())
    }
}

/// The Ethernet header that a packet came with, for one that the kernel gets.
struct Tags {
    /// Destination and source, which overlap by four bytes.
    macs: [u64; 2],
    /// The last eight bytes before the EtherType.
    tags: u64,
}

impl Tags {
    #[inline(always)]
    pub(crate) fn load<P: Packet>(
        frame: &Frame,
        packet: &P,
        features: Features,
    ) -> Result<Self, OutOfBounds> {
        let macs = [packet.load(0)?, packet.load(4)?].map(u64::from_ne_bytes);
        let tags = if features.has(Features::VLAN) && frame.network > ethernet::LENGTH {
            u64::from_ne_bytes(packet.load(frame.network - 10)?)
        } else {
            0
        };
        Ok(Self { macs, tags })
    }

    /// Stores the header that leads to a next hop, or else the one that was, as that of the other version: the kernel looks behind
    /// the tags.
    #[inline(always)]
    fn store<P: Packet>(
        &self,
        hop: Option<&NextHop>,
        to_v4: bool,
        frame: &Frame,
        packet: &mut P,
    ) -> Result<(), OutOfBounds> {
        let ether_type = if to_v4 { ethernet::IPV4 } else { ethernet::IPV6 };
        if let Some(hop) = hop {
            return ethernet::store_header(packet, hop, ether_type);
        }
        if frame.network > ethernet::LENGTH {
            packet.store(frame.network - 10, self.tags.to_ne_bytes())?;
        }
        let [first, second] = self.macs.map(u64::to_ne_bytes);
        packet.store(0, first)?;
        packet.store(4, second)?;
        packet.store(frame.network - 2, ether_type.to_be_bytes())
    }
}
