//! Answers: a packet that ends here becomes one to whoever sent it, and leaves the way it came.

use lightpath_abi::Address;

use crate::fast::end;
use crate::wire::{ICMP, ICMPV6, TCP, ethernet, icmp, ipv4, ipv6, tcp};
use crate::{
    Counters, Delta, Drop, Frame, OutOfBounds, Packet, Part, Reason, Reply, ReplyKind, Tables, Verdict,
};

/// Bytes of a packet that an ICMP error about it quotes, at most.
///
/// The whole error may have 576 bytes (RFC 1812, 4.3.2.3) or 1280 (RFC 4443, 2.4 (c)). Every byte is summed up for the checksum;
/// this many hold all headers of any packet that is balanced, and some of what they carry.
const MAX_QUOTE: usize = 512;

/// Makes the packet its own answer, or drops it for the reason for which it would have been answered.
#[inline(always)]
pub(crate) fn answer<'a, P: Packet, T: Tables + Counters, O>(
    reply: Reply,
    frame: &Frame,
    packet: &mut P,
    tables: &T,
    finish: &impl Fn(Verdict<'a>) -> O,
) -> O {
    let drop = |reason| Verdict::Drop(Drop { reason, service: reply.service });
    // An echo request has no other reason: nobody here would take the packet.
    let unanswered = drop(reply.reason.unwrap_or(Reason::NoService));
    let bytes = packet.len();
    if !may_be_answered(frame, packet) {
        return end(unanswered, bytes, tables, finish);
    }
    let written = match reply.kind {
        ReplyKind::Echo => echo(frame, packet),
        ReplyKind::Reset => {
            let Ok(segment) = tcp::Header::load(packet, frame.transport) else {
                return end(drop(Reason::Rewrite), bytes, tables, finish);
            };
            if segment.resets() {
                return end(unanswered, bytes, tables, finish);
            }
            reset(&segment, frame, packet)
        }
        ReplyKind::Unreachable | ReplyKind::TooBig { .. } if !tables.permits_error() => {
            return end(unanswered, bytes, tables, finish);
        }
        ReplyKind::Unreachable => error(icmp::Header::port_unreachable(frame.v4), frame, packet),
        ReplyKind::TooBig { mtu } => error(icmp::Header::too_big(frame.v4, mtu), frame, packet),
    };
    match written {
        Ok(()) => end(Verdict::Reply(reply), bytes, tables, finish),
        Err(OutOfBounds) => end(drop(Reason::Rewrite), bytes, tables, finish),
    }
}

/// Whether there is one sender who asked for an answer, and who gets it once (RFC 1122, 3.2.2; RFC 4443, 2.4 (e)).
#[inline(always)]
fn may_be_answered<P: Packet>(frame: &Frame, packet: &P) -> bool {
    frame.part != Part::Later && is_of_one_host(frame.v4, frame.source) && !ethernet::is_to_a_group(packet)
}

/// Whether an address can be that of one other host: none of those that are this host's, this network's, or everybody's (RFC 6890).
#[inline(always)]
fn is_of_one_host(v4: bool, address: Address) -> bool {
    if v4 {
        // 0/8, 127/8, and from 224/4 on multicast, reserved and broadcast.
        let network = address.low32() >> 24;
        return network != 0 && network != 127 && network < 224;
    }
    // ::/128, ::1/128 and ff00::/8.
    (address.high != 0 || address.low > 1) && address.high >> 56 != 0xff
}

/// Turns an echo request around (RFC 792; RFC 4443, 4.2). All of it goes back: what it carries, and the headers before it.
#[inline(always)]
fn echo<P: Packet>(frame: &Frame, packet: &mut P) -> Result<(), OutOfBounds> {
    let request = icmp::Header::load(packet, frame.transport)?;
    request.echo_reply(frame.v4).store(packet, frame.transport)?;
    // Sums do not notice that addresses change places.
    if frame.v4 {
        let words = |ttl: u8| u16::from_be_bytes([ttl, frame.protocol]);
        let delta = Delta::new().replace16(words(frame.ttl), words(ipv4::DEFAULT_TTL));
        let header = ipv4::Rewritten {
            ttl: ipv4::DEFAULT_TTL,
            protocol: frame.protocol,
            checksum: delta.apply(frame.network_checksum),
            source: frame.destination.low32(),
            destination: frame.source.low32(),
        };
        header.store(packet, frame.network)?;
    } else {
        ipv6::store_hop_limit(packet, frame.network, ipv6::DEFAULT_HOP_LIMIT)?;
        ipv6::store_source(packet, frame.network, frame.destination)?;
        ipv6::store_destination(packet, frame.network, frame.source)?;
    }
    ethernet::WayBack::of(packet)?.store(packet)
}

/// Puts a reset in the place of a segment (RFC 9293, 3.10.7.1): one that whoever sent the segment takes for the peer's.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a segment is shorter than 64 KiB")]
fn reset<P: Packet>(segment: &tcp::Header, frame: &Frame, packet: &mut P) -> Result<(), OutOfBounds> {
    let (sequence, acknowledgement) = if segment.acknowledges() {
        (segment.acknowledgement(), None)
    } else {
        let payload = frame.network + frame.length as usize - frame.transport - segment.header_length();
        let length = payload as u32 + segment.control_length();
        (0, Some(frame.sequence.wrapping_add(length)))
    };
    let reset = tcp::Reset {
        source_port: frame.destination_port,
        destination_port: frame.source_port,
        sequence,
        acknowledgement,
    };
    let transport = frame.network + header_length(frame.v4);
    let way_back = ethernet::WayBack::of(packet)?;
    packet.truncate(transport + tcp::LENGTH)?;
    way_back.store(packet)?;
    internet(frame, TCP, tcp::LENGTH, packet)?;
    reset.store(packet, transport, pseudo_header(frame, TCP, tcp::LENGTH))
}

/// Puts an ICMP error before what it quotes of the packet.
#[inline(always)]
fn error<P: Packet>(header: icmp::Header, frame: &Frame, packet: &mut P) -> Result<(), OutOfBounds> {
    let added = header_length(frame.v4) + icmp::LENGTH;
    let quoted = (frame.length as usize).min(MAX_QUOTE);
    let transport = frame.network + header_length(frame.v4);
    let way_back = ethernet::WayBack::of(packet)?;
    packet.push(added)?;
    packet.truncate(frame.network + added + quoted)?;
    way_back.store(packet)?;

    let protocol = if frame.v4 { ICMP } else { ICMPV6 };
    internet(frame, protocol, icmp::LENGTH + quoted, packet)?;
    let covered = if frame.v4 { Delta::new() } else { pseudo_header(frame, protocol, icmp::LENGTH + quoted) };
    let covered = sum(covered.add64(header.word()), packet, transport + icmp::LENGTH, quoted)?;
    header.with_checksum(covered.checksum()).store(packet, transport)
}

#[inline(always)]
const fn header_length(v4: bool) -> usize {
    if v4 { ipv4::LENGTH } else { ipv6::LENGTH }
}

/// Stores the IP header of an answer. It is a new one, from where the packet was sent to where it came from: nothing that the packet
/// met on its way concerns the way back.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "answers are short")]
fn internet<P: Packet>(
    frame: &Frame,
    protocol: u8,
    length: usize,
    packet: &mut P,
) -> Result<(), OutOfBounds> {
    if frame.v4 {
        let header = ipv4::Fresh {
            tos: 0,
            length: (ipv4::LENGTH + length) as u16,
            protocol,
            source: frame.destination.low32(),
            destination: frame.source.low32(),
        };
        return header.store(packet, frame.network);
    }
    let header = ipv6::Fresh {
        traffic_class: 0,
        flow_label: 0,
        payload_length: length as u16,
        next_header: protocol,
        source: frame.destination,
        destination: frame.source,
    };
    header.store(packet, frame.network)
}

/// What the transport checksum covers besides its packet (RFC 9293, 3.1; RFC 8200, 8.1).
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "answers are short")]
const fn pseudo_header(frame: &Frame, protocol: u8, length: usize) -> Delta {
    Delta::new()
        .add_address(frame.source)
        .add_address(frame.destination)
        .add32(length as u32)
        .add32(protocol as u32)
}

/// Adds `length` bytes, at most [`MAX_QUOTE`], from `start` on, before which there are headers.
#[inline(always)]
fn sum<P: Packet>(mut covered: Delta, packet: &P, start: usize, length: usize) -> Result<Delta, OutOfBounds> {
    let mut words = 0;
    while words < MAX_QUOTE / 8 && words * 8 + 8 <= length {
        covered = covered.add64(u64::from_be_bytes(packet.load(start + words * 8)?));
        words += 1;
    }
    let rest = length % 8;
    if rest == 0 {
        return Ok(covered);
    }
    // The last word is taken from the end backwards, and what was summed up already shifted out of it.
    let last = u64::from_be_bytes(packet.load(start + length - 8)?);
    Ok(covered.add64(last << (64 - 8 * rest)))
}
