//! Checksums recomputed from scratch (RFC 1071), word by word: the slow way, to judge the incremental one by.

use std::ops::Range;

/// Whether the IPv4 header's and the TCP, UDP or ICMP checksum of a packet are right; else which one is not.
///
/// A checksum that is not there is right: UDP over IPv4 may have none. Fragments have no transport checksum of their own.
pub fn checksums_are_right(packet: &[u8]) -> Result<(), String> {
    let mut network = 14;
    while matches!(word(packet, network - 2), Some(0x8100 | 0x88a8)) {
        network += 4;
    }
    match word(packet, network - 2) {
        Some(0x0800) => internet4(slice(packet, network..packet.len())?),
        Some(0x86dd) => internet6(slice(packet, network..packet.len())?),
        _ => Err("not an IP packet".into()),
    }
}

/// The ones' complement of the ones' complement sum of all words of the parts, each padded to whole words.
#[must_use]
pub fn internet_checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u16 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
            let (added, carry) = sum.overflowing_add(word);
            sum = added + u16::from(carry);
        }
    }
    !sum
}

fn internet4(packet: &[u8]) -> Result<(), String> {
    let header_length = usize::from(slice(packet, 0..20)?[0] & 0x0f) * 4;
    let header = slice(packet, 0..header_length)?;
    if internet_checksum(&[header]) != 0 {
        return Err("the IPv4 header checksum is wrong".into());
    }
    if word(header, 6).is_some_and(|fragment| fragment & 0x3fff != 0) {
        return Ok(());
    }
    let total_length = usize::from(word(header, 2).unwrap_or(0));
    transport(slice(packet, header_length..total_length)?, &header[12..20], header[9], true)
}

fn internet6(packet: &[u8]) -> Result<(), String> {
    let header = slice(packet, 0..40)?;
    let mut rest = slice(packet, 40..40 + usize::from(word(header, 4).unwrap_or(0)))?;
    let mut next = header[6];
    while matches!(next, 0 | 43 | 60) {
        let length = (usize::from(slice(rest, 0..8)?[1]) + 1) * 8;
        next = rest[0];
        rest = slice(rest, length..rest.len())?;
    }
    transport(rest, &header[8..40], next, false)
}

/// `addresses` are both as in the IP header, which is the order of the pseudo-header too.
fn transport(segment: &[u8], addresses: &[u8], protocol: u8, v4: bool) -> Result<(), String> {
    match protocol {
        4 => return internet4(segment),
        41 => return internet6(segment),
        // GUE: the checksums are those of the packet in it.
        17 if word(segment, 2) == Some(6080) && word(segment, 6) == Some(0) => {
            let packet = slice(segment, 8..segment.len())?;
            return if packet.first().is_some_and(|first| first >> 4 == 4) {
                internet4(packet)
            } else {
                internet6(packet)
            };
        }
        _ => {}
    }
    let (name, segment) = match protocol {
        6 => ("TCP", segment),
        17 => {
            let length = usize::from(word(segment, 4).ok_or("the UDP header is cut short")?);
            ("UDP", slice(segment, 0..length)?)
        }
        58 => ("ICMPv6", segment),
        1 => {
            return match internet_checksum(&[segment]) {
                0 => Ok(()),
                _ => Err("the ICMP checksum is wrong".into()),
            };
        }
        _ => return Ok(()),
    };
    if protocol == 17 && word(segment, 6) == Some(0) {
        return if v4 { Ok(()) } else { Err("UDP over IPv6 without a checksum".into()) };
    }
    let length = u32::try_from(segment.len()).map_err(|_| "too long")?.to_be_bytes();
    match internet_checksum(&[addresses, &length, &[0, protocol], segment]) {
        0 => Ok(()),
        _ => Err(format!("the {name} checksum is wrong")),
    }
}

fn slice(bytes: &[u8], range: Range<usize>) -> Result<&[u8], String> {
    bytes.get(range.clone()).ok_or_else(|| format!("bytes {range:?} are wanted of {} there are", bytes.len()))
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
mod tests {
    use crate::packet::{icmp, icmp_echo, tcp, udp};

    use super::*;

    /// The example of RFC 1071, section 3.
    #[test]
    fn sums_the_example_of_the_rfc() {
        assert_eq!(internet_checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
    }

    #[test]
    fn agrees_with_etherparse() {
        for packet in [
            tcp("192.0.2.1:1", "192.0.2.2:2").ip_options(&[1; 8]).payload(b"odd"),
            tcp("[2001:db8::1]:1", "[2001:db8::2]:2").hop_by_hop(2).routing(0).qinq(7, 8),
            udp("192.0.2.1:1", "192.0.2.2:2").vlan(5).padding(9),
            udp("[2001:db8::1]:1", "[2001:db8::2]:2"),
            udp("192.0.2.1:1", "192.0.2.2:2").no_checksum(),
            icmp_echo("192.0.2.1", "192.0.2.2").payload(b"odd"),
            icmp(3, 4, 1400, "192.0.2.1", "192.0.2.2").quoting(&udp("192.0.2.2:1", "192.0.2.3:2"), 28),
            icmp_echo("2001:db8::1", "2001:db8::2").destination_options(1),
        ] {
            assert_eq!(checksums_are_right(&packet.build()), Ok(()), "{packet:?}");
        }
    }

    #[test]
    fn finds_every_flipped_byte_that_is_covered() {
        for packet in [tcp("192.0.2.1:1", "192.0.2.2:2"), icmp_echo("192.0.2.1", "192.0.2.2")] {
            let packet = packet.build();
            for at in 14..packet.len() {
                let mut flipped = packet.clone();
                flipped[at] ^= 0x10;
                assert!(checksums_are_right(&flipped).is_err(), "byte {at}");
            }
        }
    }
}
