//! Packets as a reader of a failed test wants to see them.

use std::fmt::Write;

use etherparse::{LaxNetSlice, LaxSlicedPacket, LinkSlice, TransportSlice};

/// Fails unless both packets are equal, with what [`difference`] says.
#[track_caller]
pub fn assert_packets_equal(what: &str, expected: &[u8], actual: &[u8]) {
    if let Some(difference) = difference(expected, actual) {
        panic!("{what}: {difference}");
    }
}

/// Both packets decoded and the bytes that differ, unless none do.
#[must_use]
pub fn difference(expected: &[u8], actual: &[u8]) -> Option<String> {
    if expected == actual {
        return None;
    }
    let mut text = format!(
        "the packets differ\nexpected {} bytes\n{}\nactual {} bytes\n{}\n",
        expected.len(),
        describe(expected),
        actual.len(),
        describe(actual)
    );
    for (at, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        if expected != actual {
            let _ = writeln!(text, "byte {at}: {expected:#04x} expected, {actual:#04x} actual");
        }
    }
    Some(text)
}

/// A packet in a line for each layer, and what keeps it from being decoded further.
#[must_use]
pub fn describe(packet: &[u8]) -> String {
    let sliced = match LaxSlicedPacket::from_ethernet(packet) {
        Ok(sliced) => sliced,
        Err(error) => return format!("  {error}\n{}", hex(packet)),
    };
    let mut text = String::new();
    if let Some(LinkSlice::Ethernet2(header)) = &sliced.link {
        let _ = write!(text, "  {} > {}", mac(header.source()), mac(header.destination()));
        let _ = write!(text, " type {:#06x}", header.ether_type().0);
        for id in sliced.vlan_ids() {
            let _ = write!(text, " vlan {}", id.value());
        }
    }
    if let Some(net) = &sliced.net {
        let _ = write!(text, "\n  {}", network(net));
    }
    if let Some(transport) = &sliced.transport {
        let _ = write!(text, "\n  {}", segment(transport));
    }
    if let Some((error, _)) = &sliced.stop_err {
        let _ = write!(text, "\n  {error}");
    }
    format!("{text}\n{}", hex(packet))
}

fn network(net: &LaxNetSlice<'_>) -> String {
    match net {
        LaxNetSlice::Ipv4(packet) => {
            let header = packet.header();
            let mut text = format!(
                "IPv4 {} > {} ttl {} protocol {} length {} checksum {:#06x}",
                header.source_addr(),
                header.destination_addr(),
                header.ttl(),
                header.protocol().0,
                header.total_len(),
                header.header_checksum()
            );
            if !header.options().is_empty() {
                let _ = write!(text, " options {:02x?}", header.options());
            }
            if header.is_fragmenting_payload() {
                let _ = write!(text, " fragment at {}", u32::from(header.fragments_offset().value()) * 8);
            }
            text
        }
        LaxNetSlice::Ipv6(packet) => {
            let header = packet.header();
            format!(
                "IPv6 {} > {} hop limit {} next header {} payload length {}, {} of it extension headers",
                header.source_addr(),
                header.destination_addr(),
                header.hop_limit(),
                header.next_header().0,
                header.payload_length(),
                packet.extensions().slice().len()
            )
        }
        LaxNetSlice::Arp(packet) => format!("{packet:?}"),
    }
}

fn segment(transport: &TransportSlice<'_>) -> String {
    match transport {
        TransportSlice::Tcp(tcp) => {
            let flags = [
                (tcp.fin(), "F"),
                (tcp.syn(), "S"),
                (tcp.rst(), "R"),
                (tcp.psh(), "P"),
                (tcp.ack(), "."),
                (tcp.urg(), "U"),
            ];
            let flags: String = flags.into_iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect();
            format!(
                "TCP {} > {} [{flags}] sequence {} checksum {:#06x}, {} bytes of payload",
                tcp.source_port(),
                tcp.destination_port(),
                tcp.sequence_number(),
                tcp.checksum(),
                tcp.payload().len()
            )
        }
        TransportSlice::Udp(udp) => format!(
            "UDP {} > {} length {} checksum {:#06x}",
            udp.source_port(),
            udp.destination_port(),
            udp.length(),
            udp.checksum()
        ),
        other => format!("{other:?}"),
    }
}

fn mac(octets: [u8; 6]) -> String {
    octets.map(|octet| format!("{octet:02x}")).join(":")
}

/// The first bytes, in lines of 16.
fn hex(packet: &[u8]) -> String {
    let lines = packet.chunks(16).take(8).enumerate();
    let lines = lines.map(|(index, line)| format!("  {:4}  {}", index * 16, spaced(line)));
    lines.collect::<Vec<_>>().join("\n")
}

fn spaced(line: &[u8]) -> String {
    line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use crate::packet::{SYN, tcp, udp};

    use super::*;

    #[test]
    fn a_packet_is_described_layer_by_layer() {
        let packet = tcp("198.51.100.10:4000", "203.0.113.10:80").flags(SYN).qinq(7, 8).payload(b"").build();
        let lines: Vec<String> = describe(&packet).lines().take(3).map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "  02:00:00:00:00:ff > 02:00:00:00:00:fe type 0x88a8 vlan 7 vlan 8",
                "  IPv4 198.51.100.10 > 203.0.113.10 ttl 64 protocol 6 length 40 checksum 0xd487",
                "  TCP 4000 > 80 [S] sequence 1000000 checksum 0xd75a, 0 bytes of payload",
            ]
        );
    }

    #[test]
    #[should_panic(expected = "byte 22: 0x40 expected, 0x3f actual")]
    fn a_difference_names_the_byte() {
        let packet = udp("198.51.100.10:4000", "203.0.113.10:80");
        assert_packets_equal("ttl", &packet.build(), &packet.clone().ttl(63).build());
    }

    #[test]
    fn anything_can_be_described() {
        let packet = udp("[2001:db8::1]:1", "[2001:db8::2]:2").destination_options(1).build();
        for length in 0..packet.len() {
            assert!(!describe(&packet[..length]).is_empty());
        }
    }
}
