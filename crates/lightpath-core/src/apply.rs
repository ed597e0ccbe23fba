//! From a [`Verdict`] to bytes: header rewrites and checksums, nothing else.

use lightpath_abi::Address;

use crate::wire::{TCP, ethernet, ipv4, ipv6, tcp, udp};
use crate::{Delta, Drop, Egress, Forwarding, Frame, OutOfBounds, Packet, Reason, Rewrite, Verdict};

/// Carries a verdict out. What could not be written is dropped: a packet never leaves half rewritten.
#[inline(always)]
pub fn apply<P: Packet>(verdict: Verdict, frame: &Frame, packet: &mut P) -> Verdict {
    let Verdict::Forward(forwarding) = verdict else {
        return verdict;
    };
    match rewrite(&forwarding, frame, packet) {
        Ok(()) => verdict,
        Err(OutOfBounds) => Verdict::Drop(Drop { reason: Reason::Rewrite, service: forwarding.service }),
    }
}

/// The endpoints a packet leaves with.
#[derive(Clone, Copy)]
struct Endpoints {
    source: Address,
    destination: Address,
    source_port: u16,
    destination_port: u16,
}

#[inline(always)]
fn rewrite<P: Packet>(forwarding: &Forwarding, frame: &Frame, packet: &mut P) -> Result<(), OutOfBounds> {
    let mut new = Endpoints {
        source: frame.source,
        destination: frame.destination,
        source_port: frame.source_port,
        destination_port: frame.destination_port,
    };
    match forwarding.rewrite {
        Rewrite::None => {}
        Rewrite::Destination { address, port } => {
            (new.destination, new.destination_port) = (address, port);
            transport(frame, &new, packet)?;
        }
        Rewrite::Source { address, port } => {
            (new.source, new.source_port) = (address, port);
            transport(frame, &new, packet)?;
        }
    }
    let ttl = match forwarding.egress {
        Egress::Link(_) => frame.ttl.wrapping_sub(1),
        Egress::Kernel => frame.ttl,
    };
    network(frame, &new, ttl, packet)?;
    if let Egress::Link(hop) = forwarding.egress {
        ethernet::store_addresses(packet, hop.mac, hop.source_mac)?;
    }
    Ok(())
}

/// Stores the IP addresses and the TTL, and what IPv4's header checksum becomes.
#[inline(always)]
fn network<P: Packet>(frame: &Frame, new: &Endpoints, ttl: u8, packet: &mut P) -> Result<(), OutOfBounds> {
    if frame.v4 {
        let old_word = u16::from_be_bytes([frame.ttl, frame.protocol]);
        let new_word = u16::from_be_bytes([ttl, frame.protocol]);
        let delta = addresses(frame, new).replace16(old_word, new_word);
        let header = ipv4::Rewritten {
            ttl,
            protocol: frame.protocol,
            checksum: delta.apply(frame.network_checksum),
            source: new.source.low32(),
            destination: new.destination.low32(),
        };
        return header.store(packet, frame.network);
    }
    ipv6::store_hop_limit(packet, frame.network, ttl)?;
    ipv6::store_source(packet, frame.network, new.source)?;
    ipv6::store_destination(packet, frame.network, new.destination)
}

/// Stores the ports, and what the transport checksum becomes, which covers them and the IP addresses (RFC 9293, 3.1).
#[inline(always)]
fn transport<P: Packet>(frame: &Frame, new: &Endpoints, packet: &mut P) -> Result<(), OutOfBounds> {
    let ports = |source: u16, destination: u16| u32::from(source) << 16 | u32::from(destination);
    let old_ports = ports(frame.source_port, frame.destination_port);
    let new_ports = ports(new.source_port, new.destination_port);
    let checksum = addresses(frame, new).replace32(old_ports, new_ports).apply(frame.transport_checksum);

    packet.store(frame.transport, new_ports.to_be_bytes())?;
    if frame.protocol == TCP {
        return packet.store(frame.transport + tcp::CHECKSUM, checksum.to_be_bytes());
    }
    if frame.transport_checksum == 0 {
        // IPv4 without a checksum stays without one.
        return Ok(());
    }
    // A sum that comes out as 0 is sent as its other representation, 0 being "none" (RFC 768).
    let checksum = if checksum == 0 { 0xffff } else { checksum };
    packet.store(frame.transport + udp::CHECKSUM, checksum.to_be_bytes())
}

#[inline(always)]
fn addresses(frame: &Frame, new: &Endpoints) -> Delta {
    let delta = Delta::new()
        .replace64(frame.source.low, new.source.low)
        .replace64(frame.destination.low, new.destination.low);
    if frame.v4 {
        return delta;
    }
    delta
        .replace64(frame.source.high, new.source.high)
        .replace64(frame.destination.high, new.destination.high)
}
