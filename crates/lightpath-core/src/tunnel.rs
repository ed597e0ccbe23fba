//! Tunnels: an outer header before the packet, which carries it to a backend on any network.
//!
//! IPIP (RFC 2003 for IPv4 in IPv4, RFC 2473 for anything in IPv6, RFC 4213 for IPv6 in IPv4), and GUE in its variant 1
//! (draft-ietf-intarea-gue-09, section 4): an IP packet directly behind the UDP header, which tells its version itself.

use lightpath_abi::{Address, Backend, NextHop};

use crate::source::{address, source};
use crate::wire::{IPIP, IPV6_IN_IP, UDP, ethernet, ipv4, ipv6, udp};
use crate::{FlowHash, Frame, OutOfBounds, Outer, Packet, Tables};

/// The outer header of a packet to a backend, unless this node has no address to send it from.
#[inline(always)]
pub(crate) fn outer<'a, T: Tables>(
    gue: bool,
    backend: &'a Backend,
    hash: FlowHash,
    tables: &'a T,
) -> Option<Outer<'a>> {
    Some(Outer { backend, source: source(backend, hash, tables)?, hash, gue })
}

impl Outer<'_> {
    /// Whether it is an IPv4 header.
    #[inline(always)]
    #[must_use]
    pub const fn is_v4(&self) -> bool {
        self.backend.address.is_v4()
    }

    /// The address of this node that it comes from.
    #[inline(always)]
    #[must_use]
    pub const fn source(&self) -> Address {
        address(self.source, self.hash)
    }

    /// Bytes that the header takes.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "headers are short")]
    pub const fn length(&self) -> u16 {
        let network = if self.is_v4() { ipv4::LENGTH } else { ipv6::LENGTH };
        let transport = if self.gue { udp::LENGTH } else { 0 };
        (network + transport) as u16
    }

    /// Puts the header, and an Ethernet header before it, in the place of the packet's Ethernet header.
    ///
    /// DSCP and ECN are those of the packet (RFC 2983, uniform model; RFC 6040, normal mode). The TTL is new: to the packet, the
    /// tunnel is one hop. Fragmenting is forbidden, so that a router on the way which cannot pass it on says so.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "headers are short")]
    pub(crate) fn store<P: Packet>(
        &self,
        frame: &Frame,
        hop: &NextHop,
        packet: &mut P,
    ) -> Result<(), OutOfBounds> {
        let network = ethernet::header_length(hop);
        packet.push(network + self.length() as usize - frame.network)?;
        let ether_type = if self.is_v4() { ethernet::IPV4 } else { ethernet::IPV6 };
        ethernet::store_header(packet, hop, ether_type)?;
        let inner = if frame.v4 { IPIP } else { IPV6_IN_IP };
        let protocol = if self.gue { UDP } else { inner };
        let length = self.length().checked_add(frame.length).ok_or(OutOfBounds)?;
        let transport = if self.is_v4() {
            let header = ipv4::Fresh {
                tos: frame.tos,
                length,
                protocol,
                source: self.source().low32(),
                destination: self.backend.address.low32(),
            };
            header.store(packet, network)?;
            network + ipv4::LENGTH
        } else {
            let header = ipv6::Fresh {
                traffic_class: frame.tos,
                // Routers spread by it as by ports (RFC 6438).
                flow_label: self.hash.flow_label(),
                payload_length: length - ipv6::LENGTH as u16,
                next_header: protocol,
                source: self.source(),
                destination: self.backend.address,
            };
            header.store(packet, network)?;
            network + ipv6::LENGTH
        };
        if !self.gue {
            return Ok(());
        }
        // Without a checksum: the packet in it has one of its own (RFC 6935, section 5; RFC 6936 on when that will do).
        let header = udp::Fresh {
            source_port: self.hash.source_port(),
            destination_port: udp::GUE,
            length: frame.length + udp::LENGTH as u16,
            checksum: 0,
        };
        header.store(packet, transport)
    }
}
