//! ICMP errors from one version of IP to the other (RFC 7915, sections 4.2, 4.3, 5.2 and 5.3).

use lightpath_abi::{NextHop, Session};

use crate::quote::Quote;
use crate::translate::{Fields, addresses, header_length};
use crate::verdict::session_endpoints;
use crate::wire::{ICMP, ICMPV6, ethernet, icmp, ipv4, ipv6};
use crate::{Delta, Direction, Frame, OutOfBounds, Packet};

/// Bytes of a translated error, from the IP header on.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "headers are short")]
pub(crate) fn translated_length(frame: &Frame, quote: &Quote) -> u16 {
    message_length(frame, quote).saturating_add(header_length(!frame.v4) as u16)
}

/// Bytes of its ICMP message: the header, the quoted IP header as it will be, and what is quoted of TCP or UDP.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "headers are short")]
fn message_length(frame: &Frame, quote: &Quote) -> u16 {
    let segment = frame.length - (quote.transport - frame.network) as u16;
    segment.saturating_add((icmp::LENGTH + header_length(!frame.v4)) as u16)
}

/// An error, and how it leaves.
pub(crate) struct Translation<'p> {
    pub(crate) frame: &'p Frame,
    pub(crate) quote: &'p Quote,
    /// Its ICMP header, without a checksum.
    pub(crate) header: icmp::Header,
    /// Where its endpoints are, which are many to carry and are read when they are needed.
    pub(crate) session: &'p Session,
    pub(crate) direction: Direction,
    pub(crate) ttl: u8,
    /// Where it goes next.
    pub(crate) hop: &'p NextHop,
}

impl Translation<'_> {
    /// Writes everything anew that is before the quoted segment, which the quoted IP header is followed by at once.
    #[inline(always)]
    pub(crate) fn store<P: Packet>(&self, packet: &mut P) -> Result<(), OutOfBounds> {
        let Self { frame, quote, hop, .. } = self;
        let to_v4 = !frame.v4;
        let old = icmp::Header::load(packet, frame.transport)?;
        let (quoted, removed) = quoted_header(quote, packet)?;
        let removed = removed.and(self.removed()).replace64(old.with_checksum(0).word(), 0);
        let segment = {
            let new = session_endpoints(self.session, self.direction);
            quote.rewrite_transport(addresses(&quote.flow, &new), &new, packet)?
        };
        let old_checksum = removed.and(segment).apply(old.checksum());
        let length = message_length(frame, quote);

        let network = ethernet::header_length(hop);
        let transport = network + header_length(to_v4);
        let headers = transport + icmp::LENGTH + header_length(to_v4);
        if headers > quote.transport {
            packet.push(headers - quote.transport)?;
        } else {
            packet.pull(quote.transport - headers)?;
        }
        ethernet::store_header(packet, hop, if to_v4 { ethernet::IPV4 } else { ethernet::IPV6 })?;

        let new = session_endpoints(self.session, self.direction);
        let added = quoted.store(new.destination, new.source, packet, transport + icmp::LENGTH)?;
        let added = added.add64(self.header.word());
        // ICMPv6 covers the addresses of the message itself (RFC 4443, 2.3).
        let pseudo = Delta::new().add_address(new.source).add_address(new.destination);
        let pseudo = pseudo.add32(length.into()).add32(ICMPV6.into());
        let added = if to_v4 { added } else { added.and(pseudo) };
        self.header.with_checksum(added.apply(old_checksum)).store(packet, transport)?;
        let protocol = if to_v4 { ICMP } else { ICMPV6 };
        let fields = Fields { tos: frame.tos, ttl: self.ttl, protocol, length };
        fields.store(new.source, new.destination, packet, network)?;
        Ok(())
    }

    /// What goes out of the checksum with the old addresses and length, if they were in it.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "headers are short")]
    fn removed(&self) -> Delta {
        let frame = self.frame;
        if frame.v4 {
            return Delta::new();
        }
        let length = frame.length - (frame.transport - frame.network) as u16;
        Delta::new()
            .replace64(frame.source.high, 0)
            .replace64(frame.source.low, 0)
            .replace64(frame.destination.high, 0)
            .replace64(frame.destination.low, 0)
            .replace16(length, 0)
            .replace16(ICMPV6.into(), 0)
    }
}

/// The quoted IP header, and what goes out of a sum with it.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "headers are short")]
fn quoted_header<P: Packet>(quote: &Quote, packet: &P) -> Result<(Fields, Delta), OutOfBounds> {
    let protocol = quote.flow.protocol;
    if quote.flow.v4 {
        let header = ipv4::Header::load(packet, quote.network)?;
        let length = header.total_length().saturating_sub(ipv4::LENGTH as u16);
        return Ok((Fields { tos: header.tos(), ttl: header.ttl(), protocol, length }, header.removed()));
    }
    let header = ipv6::Header::load(packet, quote.network)?;
    let (tos, ttl, length) = (header.traffic_class(), header.hop_limit(), header.payload_length());
    Ok((Fields { tos, ttl, protocol, length }, header.removed()))
}
