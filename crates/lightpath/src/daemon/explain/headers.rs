//! A packet's headers as people read them.

use std::fmt::Write;

use etherparse::{IpNumber, LaxNetSlice, LaxSlicedPacket, LinkSlice, TransportSlice};

use crate::drops::Header;
use crate::explanation::FieldChange;

/// What a packet is, from whom and to whom, however much of it can be read.
pub(in crate::daemon) fn summary(packet: &[u8]) -> String {
    let Ok(sliced) = LaxSlicedPacket::from_ethernet(packet) else {
        return format!("{} bytes, too few for an Ethernet header", packet.len());
    };
    let fragment = sliced.net.as_ref().is_some_and(is_fragment);
    let (source, destination, protocol) = match &sliced.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into(), ip.payload_ip_number())
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into(), ip.payload().ip_number)
        }
        Some(LaxNetSlice::Arp(_)) => return "ARP".to_owned(),
        None => return unreadable(&sliced),
    };
    let [source, destination] = [source, destination].map(|address: std::net::IpAddr| address);
    match &sliced.transport {
        Some(transport) if let Some((name, from, to)) = ports(transport) => {
            let [from, to] = [(source, from), (destination, to)].map(std::net::SocketAddr::from);
            format!("{name} {from} to {to}")
        }
        transport => {
            let mut text = protocol_name(protocol);
            if fragment {
                text.push_str(" fragment");
            } else if transport.is_none() && matches!(protocol, IpNumber::TCP | IpNumber::UDP) {
                text.push_str(" with a broken header");
            }
            let _ = write!(text, " {source} to {destination}");
            text
        }
    }
}

/// The header fields that differ, in the order of the packet. MAC addresses of the first are left out where it has none of its
/// own.
pub(super) fn changes(before: &[u8], has_link: bool, after: &[u8]) -> Vec<FieldChange> {
    let before = fields(before);
    let known = |field: &str| {
        let found = before.iter().find(|(name, _)| *name == field).map(|(_, value)| value.clone());
        found.filter(|_| has_link || !field.ends_with("MAC"))
    };
    fields(after)
        .into_iter()
        .map(|(field, after)| FieldChange { field: field.to_owned(), before: known(field), after })
        .filter(|change| change.before.as_ref() != Some(&change.after))
        .collect()
}

/// What the summary does not say, in the order of the packet.
pub(in crate::daemon) fn further(packet: &[u8]) -> Vec<Header> {
    let Ok(sliced) = LaxSlicedPacket::from_ethernet(packet) else {
        return Vec::new();
    };
    let mut fields = Vec::new();
    if let Some(LinkSlice::Ethernet2(header)) = &sliced.link {
        fields.push(("source MAC", mac(header.source())));
    }
    fields.extend(sliced.vlan_ids().into_iter().map(|id| ("VLAN", id.value().to_string())));
    match &sliced.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            fields.push(("TTL", header.ttl().to_string()));
            fields.push(("IP length", header.total_len().to_string()));
            if ip.payload().fragmented {
                fields.push(("fragment offset", header.fragments_offset().byte_offset().to_string()));
            } else if header.dont_fragment() {
                fields.push(("DF", "set".to_owned()));
            }
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            fields.push(("hop limit", header.hop_limit().to_string()));
            fields.push(("payload length", header.payload_length().to_string()));
        }
        Some(LaxNetSlice::Arp(_)) | None => {}
    }
    match &sliced.transport {
        Some(TransportSlice::Udp(udp)) => fields.push(("UDP length", udp.length().to_string())),
        Some(TransportSlice::Icmpv4(icmp)) => fields.push(("ICMP type", icmp.type_u8().to_string())),
        Some(TransportSlice::Icmpv6(icmp)) => fields.push(("ICMPv6 type", icmp.type_u8().to_string())),
        _ => {}
    }
    fields.into_iter().map(|(field, value)| Header { field: field.to_owned(), value }).collect()
}

/// The fields that forwarding may change, by name.
fn fields(packet: &[u8]) -> Vec<(&'static str, String)> {
    let Ok(sliced) = LaxSlicedPacket::from_ethernet(packet) else {
        return Vec::new();
    };
    let mut fields = Vec::new();
    if let Some(LinkSlice::Ethernet2(header)) = &sliced.link {
        fields.push(("destination MAC", mac(header.destination())));
        fields.push(("source MAC", mac(header.source())));
    }
    match &sliced.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            fields.push(("TTL", header.ttl().to_string()));
            fields.push(("source address", header.source_addr().to_string()));
            fields.push(("destination address", header.destination_addr().to_string()));
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            fields.push(("hop limit", header.hop_limit().to_string()));
            fields.push(("source address", header.source_addr().to_string()));
            fields.push(("destination address", header.destination_addr().to_string()));
        }
        Some(LaxNetSlice::Arp(_)) | None => {}
    }
    if let Some((_, from, to)) = sliced.transport.as_ref().and_then(ports) {
        fields.push(("source port", from.to_string()));
        fields.push(("destination port", to.to_string()));
    }
    fields
}

/// A MAC address as it is written.
pub(super) fn mac(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

/// Protocol with TCP's flags, source port and destination port.
fn ports(transport: &TransportSlice<'_>) -> Option<(String, u16, u16)> {
    match transport {
        TransportSlice::Tcp(tcp) => {
            let flags = [(tcp.syn(), "SYN"), (tcp.fin(), "FIN"), (tcp.rst(), "RST"), (tcp.ack(), "ACK")];
            let flags =
                flags.iter().filter(|(set, _)| *set).fold(String::new(), |text, (_, flag)| text + " " + flag);
            Some((format!("tcp{flags}"), tcp.source_port(), tcp.destination_port()))
        }
        TransportSlice::Udp(udp) => Some(("udp".to_owned(), udp.source_port(), udp.destination_port())),
        TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_) => None,
    }
}

fn is_fragment(net: &LaxNetSlice<'_>) -> bool {
    net.ip_payload_ref().is_some_and(|payload| payload.fragmented)
}

fn protocol_name(number: IpNumber) -> String {
    match (number, number.keyword_str()) {
        (IpNumber::TCP, _) => "tcp".to_owned(),
        (IpNumber::UDP, _) => "udp".to_owned(),
        (_, Some(keyword)) => keyword.to_owned(),
        (IpNumber(number), None) => format!("protocol {number}"),
    }
}

/// A frame without a network header that can be read.
fn unreadable(sliced: &LaxSlicedPacket<'_>) -> String {
    let ether_type = sliced.ether_payload().map(|payload| payload.ether_type.0);
    match ether_type {
        Some(0x0800) => "IPv4 with a broken header".to_owned(),
        Some(0x86dd) => "IPv6 with a broken header".to_owned(),
        Some(0x0806) => "ARP, cut short".to_owned(),
        Some(number) => format!("EtherType {number:#06x}"),
        None => "an Ethernet frame".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn words(packet: &[u8]) -> String {
        let further = further(packet).into_iter();
        further.fold(summary(packet), |text, Header { field, value }| format!("{text}, {field} {value}"))
    }

    #[test]
    fn headers_are_told_as_far_as_there_are_any() {
        let link = || PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let mut tcp = Vec::new();
        let v4 = link().single_vlan(7.try_into().unwrap()).ipv4([198, 51, 100, 7], [203, 0, 113, 10], 3);
        v4.tcp(40_000, 80, 1, 1000).syn().write(&mut tcp, &[]).unwrap();
        let said = "tcp SYN 198.51.100.7:40000 to 203.0.113.10:80, source MAC 02:00:00:00:00:01, VLAN 7, TTL 3, IP length 40";
        assert!(words(&tcp).starts_with(said), "{}", words(&tcp));

        let mut udp = Vec::new();
        let v6 = link().ipv6([0x20; 16], [0x30; 16], 1).udp(5, 6);
        v6.write(&mut udp, &[0; 200]).unwrap();
        udp.truncate(128);
        let said = "hop limit 1, payload length 208, UDP length 208";
        assert!(words(&udp).ends_with(said), "{}", words(&udp));

        assert_eq!(words(&udp[..20]), "IPv6 with a broken header, source MAC 02:00:00:00:00:01");
        assert_eq!(words(&[1, 2, 3]), "3 bytes, too few for an Ethernet header");
    }
}
