//! What a forwarded packet may differ in from the one that came.

use lightpath_abi::{Features, NextHop};
use lightpath_core::wire::{TCP, UDP, tcp, udp};
use lightpath_core::{Egress, Forwarding, Frame, Part, Rewrite};

use super::outer::assert_outer;
use super::quote::plain_quote;
use crate::{describe, difference, internet_checksum};

/// Fails unless `sent` is `received` with what `forwarding` says rewritten or put before it, with checksums as right or wrong as
/// they were, and nothing else changed.
#[track_caller]
pub(super) fn assert_rewritten(
    received: &[u8],
    frame: &Frame,
    forwarding: &Forwarding<'_>,
    features: Features,
    sent: &[u8],
) {
    let outer = match &forwarding.rewrite {
        Rewrite::None | Rewrite::Destination(_) | Rewrite::Source(_) => None,
        Rewrite::Encapsulate(outer) => Some(outer),
        Rewrite::ToBackend(_) | Rewrite::ToClient(_) => panic!("no scene has sessions"),
    };
    let v4 = outer.map_or(frame.v4, |outer| outer.backend.address.is_v4());
    let link = match forwarding.egress {
        Egress::Routed(NextHop { interface: 0, .. }) => received[..frame.network].to_vec(),
        Egress::Backend(hop) => link_header(&received[..frame.network], hop, v4, features),
        Egress::Routed(hop) => link_header(&received[..frame.network], &hop, v4, features),
    };
    assert_eq!(sent[..link.len()], link, "{}", describe(sent));
    let behind_link = &sent[link.len()..];
    let carried = outer.map_or(behind_link, |outer| assert_outer(outer, frame, behind_link));

    let came = Carried::new(received, frame);
    let expected = rewritten(&came, forwarding);
    let expected = came.as_it_is_in(&expected);
    let carried = came.as_it_is_in(carried);
    let framed = |packet: &Carried<'_>| [&received[..frame.network], &packet.without_checksums()].concat();
    assert_eq!(difference(&framed(&expected), &framed(&carried)), None, "{}", describe(received));
    assert_eq!(carried.errors(), came.errors(), "{}\n{}", describe(received), describe(sent));
}

/// What stands before the IP packet that leaves for a next hop: its own tag, if it has one, in place of those that the packet
/// came with. A program that knows no tags changes MAC addresses only.
fn link_header(received: &[u8], hop: &NextHop, v4: bool, features: Features) -> Vec<u8> {
    let macs = [hop.mac, hop.source_mac].concat();
    let tag = [[0x81, 0x00], hop.vlan.to_be_bytes()].concat();
    let ether_type: &[u8] = if v4 { &[0x08, 0x00] } else { &[0x86, 0xdd] };
    match hop.vlan {
        _ if !features.has(Features::VLAN) => [&macs, &received[12..]].concat(),
        0 => [&macs, ether_type].concat(),
        _ => [&macs, tag.as_slice(), ether_type].concat(),
    }
}

/// The packet as it leaves, from its IP header on, but for its checksums.
fn rewritten(came: &Carried<'_>, forwarding: &Forwarding<'_>) -> Vec<u8> {
    let frame = came.frame;
    let mut packet = came.packet.to_vec();
    let mut put = |at: usize, bytes: &[u8]| packet[at..at + bytes.len()].copy_from_slice(bytes);
    match forwarding.egress {
        // The kernel counts down.
        Egress::Routed(NextHop { interface: 0, .. }) => {}
        Egress::Backend(_) | Egress::Routed(_) => put(if frame.v4 { 8 } else { 7 }, &[frame.ttl - 1]),
    }
    let (is_source, new, port) = match forwarding.rewrite {
        Rewrite::None | Rewrite::Encapsulate(_) | Rewrite::ToBackend(_) | Rewrite::ToClient(_) => {
            return packet;
        }
        Rewrite::Source(reply) => (true, reply.vip, reply.vip_port),
        Rewrite::Destination(backend) => (false, backend.address, backend.port),
    };
    assert_eq!(new.is_v4(), frame.v4, "{forwarding:?}");
    let octets = &new.octets()[if frame.v4 { 12 } else { 0 }..];
    let [source, destination] = if frame.v4 { [12, 16] } else { [8, 24] };
    put(if is_source { source } else { destination }, octets);
    // Port 0 stands for the one there is.
    let port_at = |transport: usize, is_source| {
        if port == 0 { None } else { Some(transport + if is_source { 0 } else { 2 }) }
    };
    let ports = match &came.message {
        Message::Segment => port_at(came.transport, is_source),
        // What is quoted went the other way.
        Message::Error(quote) => {
            put(quote.network + if is_source { destination } else { source }, octets);
            port_at(quote.transport, !is_source)
        }
        Message::Rest => None,
    };
    if let Some(at) = ports {
        put(at, &port.to_be_bytes());
    }
    packet
}

/// An IP packet with the offsets and lengths of the frame that came, from its IP header on. Forwarding changes none of them.
struct Carried<'a> {
    packet: &'a [u8],
    frame: &'a Frame,
    transport: usize,
    message: Message,
}

/// What an IP packet carries.
#[derive(Clone, Copy)]
enum Message {
    /// TCP or UDP, with its header.
    Segment,
    /// An ICMP error that quotes a packet of a flow.
    Error(Quoted),
    /// A later fragment, or an ICMP error of which it is not plain to see what it quotes.
    Rest,
}

/// Where in a packet another is quoted.
#[derive(Clone, Copy)]
struct Quoted {
    network: usize,
    transport: usize,
    checksum: Option<usize>,
    is_tcp: bool,
}

impl<'a> Carried<'a> {
    fn new(received: &'a [u8], frame: &'a Frame) -> Self {
        let message = match (frame.protocol, frame.part) {
            (_, Part::Later) => Message::Rest,
            (TCP | UDP, _) => Message::Segment,
            _ => plain_quote(received, frame).map_or(Message::Rest, |quote| {
                Message::Error(Quoted {
                    network: quote.network - frame.network,
                    transport: quote.transport - frame.network,
                    checksum: quote.checksum.map(|at| at - frame.network),
                    is_tcp: quote.flow.protocol == TCP,
                })
            }),
        };
        let transport = frame.transport - frame.network;
        Self { packet: &received[frame.network..], frame, transport, message }
    }

    /// The same packet with other bytes.
    fn as_it_is_in<'b>(&self, packet: &'b [u8]) -> Carried<'b>
    where
        'a: 'b,
    {
        Carried { packet, frame: self.frame, transport: self.transport, message: self.message }
    }

    fn is_icmp(&self) -> bool {
        !matches!(self.frame.protocol, TCP | UDP)
    }

    /// Where the checksums are, each with the bytes that it covers, and whether it may be left out, as that of UDP may. Parts of a
    /// pseudo-header and of a datagram that are not here do not change, so they are not counted.
    fn checksums(&self) -> Vec<(usize, Vec<&[u8]>, bool)> {
        let end = usize::from(self.frame.length);
        let addresses = |network: usize| &self.packet[network..][if self.frame.v4 { 12..20 } else { 8..40 }];
        let header = |network: usize| &self.packet[network..][..usize::from(self.packet[network] & 0x0f) * 4];
        let mut checksums = Vec::new();
        if self.frame.v4 {
            checksums.push((10, vec![header(0)], false));
        }
        let message = &self.packet[self.transport..end];
        match (&self.message, self.frame.protocol) {
            (Message::Segment, TCP) => {
                checksums.push((self.transport + tcp::CHECKSUM, vec![addresses(0), message], false));
            }
            (Message::Segment, _) => {
                checksums.push((self.transport + udp::CHECKSUM, vec![addresses(0), message], true));
            }
            // ICMP covers the message alone, ICMPv6 the addresses too (RFC 4443, 2.3).
            _ if self.is_icmp() && self.frame.part != Part::Later && self.frame.v4 => {
                checksums.push((self.transport + 2, vec![message], false));
            }
            _ if self.is_icmp() && self.frame.part != Part::Later => {
                checksums.push((self.transport + 2, vec![addresses(0), message], false));
            }
            _ => {}
        }
        if let Message::Error(quote) = &self.message {
            if self.frame.v4 {
                checksums.push((quote.network + 10, vec![header(quote.network)], false));
            }
            if let Some(at) = quote.checksum {
                let segment = &self.packet[quote.transport..end];
                checksums.push((at, vec![addresses(quote.network), segment], !quote.is_tcp));
            }
        }
        checksums
    }

    fn without_checksums(&self) -> Vec<u8> {
        let mut packet = self.packet.to_vec();
        for (at, ..) in self.checksums() {
            packet[at..at + 2].fill(0);
        }
        if self.is_icmp() && matches!(self.message, Message::Rest) {
            packet[self.transport..].fill(0);
        }
        packet
    }

    /// By how much each checksum is wrong; none where one is left out. An incremental update (RFC 1624) leaves the error as it was.
    fn errors(&self) -> Vec<Option<u16>> {
        let checksums = self.checksums().into_iter();
        let is_there = |at: usize, optional: bool| !optional || self.packet[at..at + 2] != [0, 0];
        checksums
            .map(|(at, covered, optional)| is_there(at, optional).then(|| internet_checksum(&covered)))
            .collect()
    }
}
