//! Verdicts and reasons in the words of an operator: what it means, and where to look.

use std::fmt::Display;

use lightpath_abi::{Features, Tag};
use lightpath_core::directory::find;
use lightpath_core::host::HostTables;
use lightpath_core::wire::{TCP, UDP, ethernet, udp};
use lightpath_core::{Egress, Frame, Reason, Reject, ReplyKind, Rewrite, Tables};

use super::socket;

/// Why a packet is left to the kernel.
pub(super) fn passed(parsed: Result<Frame, Reject>, packet: &[u8], tables: &HostTables) -> String {
    let because = match parsed {
        Ok(frame) if !matches!(frame.protocol, TCP | UDP) => {
            "it is ICMP about nothing that is balanced".to_owned()
        }
        Ok(frame) if find(tables, frame.destination, Tag::VIP).is_some() => {
            let protocol = if frame.protocol == TCP { "TCP" } else { "UDP" };
            format!(
                "{} is a VIP, but no service of it has {protocol} port {}",
                frame.destination, frame.destination_port
            )
        }
        Ok(_) => "no service has this destination, and no backend this source".to_owned(),
        Err(Reject::Malformed(reason)) => {
            format!("it is not sent to a VIP; to one it would be dropped as {}", reason.name())
        }
        Err(Reject::Icmp) => "it is ICMP about nothing that is balanced".to_owned(),
        Err(Reject::Fragment) => "it is a fragment of nothing that is balanced".to_owned(),
        Err(Reject::Foreign) => foreign(packet, tables.parameters().features).to_owned(),
    };
    format!("{because}; the kernel gets it untouched")
}

fn foreign(packet: &[u8], features: Features) -> &'static str {
    let ether_types =
        packet.get(ethernet::ETHER_TYPE..).unwrap_or_default().chunks_exact(2).step_by(2).take(3);
    let mut ether_types =
        ether_types.map(|bytes| bytes.iter().fold(0, |high, low| high << 8 | u16::from(*low)));
    match ether_types.find(|ether_type| !ethernet::is_tag(*ether_type)) {
        Some(ethernet::IPV4) if !features.has(Features::IPV4) => "no service has an IPv4 VIP",
        Some(ethernet::IPV6) if !features.has(Features::IPV6) => "no service has an IPv6 VIP",
        Some(ethernet::IPV4 | ethernet::IPV6) => "nothing of its IP protocol is balanced, or it is cut short",
        Some(_) => "it is not IP, and nothing else is balanced",
        None => "it is too short to carry IP",
    }
}

/// What a reason to drop means, and what to do about it.
pub(super) const fn dropped(reason: Reason) -> &'static str {
    match reason {
        Reason::IpHeader => "its IP header is cut short or contradicts itself",
        Reason::IpLength => {
            "its IP length is more than the frame carries, or less than its headers take; it was cut or corrupted on its way"
        }
        Reason::TransportHeader => {
            "its TCP or UDP header is cut short, or contradicts the IP length; UDP over IPv6 without a checksum counts as \
             that too"
        }
        Reason::ExtensionHeader => "its IPv6 extension headers cannot be walked past, or are too many",
        Reason::Fragment => {
            "it is a fragment whose datagram's first fragment was not seen, and only that one says to which flow it belongs"
        }
        Reason::TtlExpired => "its TTL allows no further hop; it may be going in circles",
        Reason::NoBackend => "no backend of the service takes new flows; `lightpath status` says why",
        Reason::StaleSlot => "the tables are just being changed; ask again",
        Reason::NoNextHop => "packets cannot be sent to its backend; `lightpath status` says why",
        Reason::NoRoute => "this node's routes forbid to send it on to the client; see `ip route get`",
        Reason::TooBig => "it is bigger than its way on takes",
        Reason::NoService => {
            "no service of the VIP has its port, and the VIP is no address of this node, whose kernel could answer"
        }
        Reason::NoSource => {
            "this node has no address of the backend's family to send from; give one in `tunnel_sources`"
        }
        Reason::ForwardingOff => {
            "this node does not forward packets, so a backend's reply cannot leave it; set net.ipv4.ip_forward=1"
        }
        Reason::Rewrite => "its headers could not be rewritten",
        Reason::PortsExhausted => {
            "every port that was tried for a new flow to its backend is in use, or as many flows are known as there is room \
             for; give more `snat_addresses` or `snat_ports`"
        }
        Reason::NoSession => {
            "no connection is known that it belongs to, and it opens none: it was silent for too long, or its backend is gone"
        }
        Reason::Untranslatable => {
            "its backend has the other version of IP, in which a packet with options, extension headers or without a \
             checksum, and a fragment, cannot be written"
        }
    }
}

/// What is done to a packet's headers.
pub(super) fn rewrite(rewrite: &Rewrite<'_>, frame: Option<&Frame>) -> String {
    let endpoints = frame.map(|frame| rewrite.endpoints(frame));
    match (rewrite, endpoints) {
        (Rewrite::None, _) => "MAC addresses and TTL only".to_owned(),
        (Rewrite::Destination(_), Some(new)) => {
            format!("destination becomes {}", socket(new.destination, new.destination_port))
        }
        (Rewrite::Destination(backend), None) => format!("destination becomes {}", backend.address),
        (Rewrite::Source(_), Some(new)) => {
            format!("source becomes {}", socket(new.source, new.source_port))
        }
        (Rewrite::Source(reply), None) => format!("source becomes {}", reply.vip),
        (Rewrite::ToBackend(session), _) => between(
            socket(session.node(), session.node_port()),
            socket(session.backend(), session.backend_port()),
        ),
        (Rewrite::ToClient(session), _) => between(
            socket(session.vip(), session.vip_port()),
            socket(session.client(), session.client_port()),
        ),
        (Rewrite::Encapsulate(outer), _) => {
            let (source, destination) = (outer.source(), outer.backend.address);
            if outer.gue {
                let port = outer.hash.source_port();
                format!("in GUE from {} to {}", socket(source, port), socket(destination, udp::GUE))
            } else {
                format!("in IP from {source} to {destination}")
            }
        }
    }
}

fn between(source: impl Display, destination: impl Display) -> String {
    format!("source becomes {source} and destination {destination}")
}

/// What is answered.
pub(super) fn replied(kind: ReplyKind) -> String {
    match kind {
        ReplyKind::Echo => "answered with an echo reply".to_owned(),
        ReplyKind::Reset => "answered with a TCP reset".to_owned(),
        ReplyKind::Unreachable => "answered with ICMP port unreachable".to_owned(),
        ReplyKind::TooBig { mtu } => {
            format!("answered with ICMP fragmentation needed (ICMPv6 packet too big), MTU {mtu}")
        }
    }
}

/// Where a backend's reply goes.
pub(super) fn reply(frame: &Frame, rewrite: &Rewrite<'_>, egress: &Egress<'_>) -> String {
    match (egress.hop(), rewrite) {
        (Some(_), _) => "a reply of a backend".to_owned(),
        (None, Rewrite::Source(reply)) => format!(
            "a reply of a backend, which goes where this node's routes lead: `ip route get {} from {}`",
            frame.destination, reply.vip
        ),
        (None, _) => "a reply of a backend, which goes where this node's routes lead".to_owned(),
    }
}
