//! From a verdict to bytes: header rewrites and checksums, nothing else.

use lightpath_abi::{Features, NextHop, Session};

use crate::translate::translate;
use crate::verdict::session_endpoints;
use crate::wire::{TCP, ethernet, ipv4, ipv6, tcp, udp};
use crate::{Delta, Direction, Egress, Endpoints, Forwarding, Frame, OutOfBounds, Packet, Part, Rewrite};

/// Sends a packet on its way. What could not be written is to be dropped: a packet never leaves half rewritten.
#[inline(always)]
pub fn apply<P: Packet>(
    forwarding: &Forwarding<'_>,
    frame: &Frame,
    packet: &mut P,
    features: Features,
) -> Result<(), OutOfBounds> {
    match forwarding.rewrite {
        Rewrite::ToBackend(session) | Rewrite::ToClient(session) => {
            apply_session(session, forwarding.direction, forwarding.egress.hop(), frame, packet, features)
        }
        _ => apply_stateless(forwarding, frame, packet, features),
    }
}

/// Sends a packet on its way that is of no session.
#[inline(always)]
pub(crate) fn apply_stateless<P: Packet>(
    forwarding: &Forwarding<'_>,
    frame: &Frame,
    packet: &mut P,
    features: Features,
) -> Result<(), OutOfBounds> {
    let new = forwarding.rewrite.endpoints(frame);
    match forwarding.rewrite {
        Rewrite::None | Rewrite::Encapsulate(_) => {}
        Rewrite::Destination(_) | Rewrite::Source(_) => transport(frame, &new, packet)?,
        Rewrite::ToBackend(_) | Rewrite::ToClient(_) => return Err(OutOfBounds),
    }
    leave(forwarding, frame, &new, packet, features)
}

/// Gives a packet its new addresses, and the link header or tunnel by which it leaves.
#[inline(always)]
pub(crate) fn leave<P: Packet>(
    forwarding: &Forwarding<'_>,
    frame: &Frame,
    new: &Endpoints,
    packet: &mut P,
    features: Features,
) -> Result<(), OutOfBounds> {
    match &forwarding.egress {
        Egress::Routed(NextHop { interface: 0, .. }) => network(frame, new, frame.ttl, packet),
        Egress::Routed(hop) => {
            network(frame, new, frame.ttl.wrapping_sub(1), packet)?;
            link(frame, hop, packet, features)
        }
        Egress::Backend(hop) => {
            network(frame, new, frame.ttl.wrapping_sub(1), packet)?;
            match forwarding.rewrite {
                Rewrite::Encapsulate(outer) => outer.store(frame, hop, packet),
                _ => link(frame, hop, packet, features),
            }
        }
    }
}

/// Sends a packet of a session on its way; through the kernel, which counts down the TTL, if there is no next hop.
#[inline(always)]
pub(crate) fn apply_session<P: Packet>(
    session: &Session,
    direction: Direction,
    hop: Option<&NextHop>,
    frame: &Frame,
    packet: &mut P,
    features: Features,
) -> Result<(), OutOfBounds> {
    let new = session_endpoints(session, direction);
    let ttl = if hop.is_some() { frame.ttl.wrapping_sub(1) } else { frame.ttl };
    if features.has(Features::CROSS_FAMILY) && new.destination.is_v4() != frame.v4 {
        return translate(frame, &new, ttl, hop, packet, features);
    }
    transport(frame, &new, packet)?;
    network(frame, &new, ttl, packet)?;
    match hop {
        Some(hop) => link(frame, hop, packet, features),
        None => Ok(()),
    }
}

/// Stores the Ethernet header that leads to the next hop. What tags a packet came with is no business of the network it goes to.
#[inline(always)]
pub(crate) fn link<P: Packet>(
    frame: &Frame,
    hop: &NextHop,
    packet: &mut P,
    features: Features,
) -> Result<(), OutOfBounds> {
    if !features.has(Features::VLAN) || frame.network == ethernet::LENGTH && hop.vlan == 0 {
        return ethernet::store_addresses(packet, hop);
    }
    let length = ethernet::header_length(hop);
    if length < frame.network {
        packet.pull(frame.network - length)?;
    } else {
        packet.push(length - frame.network)?;
    }
    ethernet::store_header(packet, hop, if frame.v4 { ethernet::IPV4 } else { ethernet::IPV6 })
}

/// Stores the IP addresses and the TTL, and what IPv4's header checksum becomes.
#[inline(always)]
pub(crate) fn network<P: Packet>(
    frame: &Frame,
    new: &Endpoints,
    ttl: u8,
    packet: &mut P,
) -> Result<(), OutOfBounds> {
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
    if frame.part == Part::Later {
        return Ok(());
    }
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

/// How new addresses change a sum that the old ones are in.
#[inline(always)]
pub(crate) fn addresses(frame: &Frame, new: &Endpoints) -> Delta {
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
