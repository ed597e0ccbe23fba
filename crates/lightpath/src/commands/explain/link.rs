//! From what a capture begins a packet with to the Ethernet header that the packet path begins with.

use anyhow::{Result, bail};
use etherparse::{Ipv4HeaderSlice, checksum};
use lightpath_core::wire::{ethernet, ipv6};

/// Numbers of link types (<https://www.tcpdump.org/linktypes.html>).
const ETHERNET: i32 = 1;
const RAW: i32 = 101;
const LINUX_SLL: i32 = 113;
const IPV4: i32 = 228;
const IPV6: i32 = 229;
const LINUX_SLL2: i32 = 276;

/// Linux cooked capture v1: length of its header, and where its protocol is.
const SLL: (usize, usize) = (16, 14);
/// Linux cooked capture v2.
const SLL2: (usize, usize) = (20, 0);

/// A frame, from its Ethernet header on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Framed {
    pub(super) bytes: Vec<u8>,
    /// Whether its MAC addresses are its own, and not made up.
    pub(super) has_link: bool,
    /// Bytes that it has got more than was there before; fewer when negative.
    pub(super) grown: isize,
}

/// The frame of a packet whose first header is of this link type.
pub(super) fn frame(link_type: i32, bytes: &[u8]) -> Result<Framed> {
    match link_type {
        ETHERNET => Ok(Framed { bytes: bytes.to_vec(), has_link: true, grown: 0 }),
        RAW | IPV4 | IPV6 => Ok(behind(0, ether_type(bytes), bytes)),
        LINUX_SLL => Ok(cooked(SLL, bytes)),
        LINUX_SLL2 => Ok(cooked(SLL2, bytes)),
        other => bail!(
            "its link type is {}; those that can be explained are Ethernet (1), raw IP (101, 228, 229) and Linux cooked \
             capture (113, 276)",
            name(other)
        ),
    }
}

/// The frame of bytes of which nobody said with which header they begin.
///
/// An Ethernet header says by its type that IP, ARP or a tag follows. Without one, bytes may begin like an IP packet that has
/// the right checksum or length. What is neither is taken for Ethernet, as XDP would.
pub(super) fn guess(bytes: &[u8]) -> Framed {
    if !is_ethernet(bytes) && is_ip(bytes) {
        return behind(0, ether_type(bytes), bytes);
    }
    Framed { bytes: bytes.to_vec(), has_link: true, grown: 0 }
}

fn is_ethernet(bytes: &[u8]) -> bool {
    const ARP: u16 = 0x0806;
    let Some(ether_type) = bytes.get(ethernet::ETHER_TYPE..).and_then(|rest| rest.first_chunk()) else {
        return false;
    };
    let version = bytes.get(ethernet::LENGTH).map(|byte| byte >> 4);
    match u16::from_be_bytes(*ether_type) {
        ethernet::IPV4 => version.is_none_or(|version| version == 4),
        ethernet::IPV6 => version.is_none_or(|version| version == 6),
        ARP => true,
        other => ethernet::is_tag(other),
    }
}

fn is_ip(bytes: &[u8]) -> bool {
    match bytes {
        [first, ..] if first >> 4 == 4 => Ipv4HeaderSlice::from_slice(bytes).is_ok_and(|header| {
            let sum = checksum::Sum16BitWords::new().add_slice(header.slice()).ones_complement();
            sum == 0 || usize::from(header.total_len()) == bytes.len()
        }),
        [first, _, _, _, high, low, ..] if first >> 4 == 6 => {
            usize::from(u16::from_be_bytes([*high, *low])) + ipv6::LENGTH == bytes.len()
        }
        _ => false,
    }
}

/// The EtherType of an IP packet, by its version.
fn ether_type(packet: &[u8]) -> [u8; 2] {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) => ethernet::IPV4.to_be_bytes(),
        Some(6) => ethernet::IPV6.to_be_bytes(),
        _ => [0; 2],
    }
}

fn cooked((header, protocol): (usize, usize), bytes: &[u8]) -> Framed {
    let protocol = bytes.get(protocol..).and_then(|rest| rest.first_chunk()).copied();
    behind(header, protocol.unwrap_or_default(), bytes)
}

/// A frame with an Ethernet header of its own in the place of so many bytes.
fn behind(header: usize, ether_type: [u8; 2], bytes: &[u8]) -> Framed {
    let mut frame = vec![0; ethernet::ETHER_TYPE];
    frame.extend(ether_type);
    frame.extend(bytes.get(header..).unwrap_or_default());
    let grown = ethernet::LENGTH.cast_signed() - header.cast_signed();
    Framed { bytes: frame, has_link: false, grown }
}

/// Link types that are met in practice, by what they are.
fn name(link_type: i32) -> String {
    let name = match link_type {
        0 => "BSD loopback",
        9 => "PPP",
        10 => "FDDI",
        104 => "Cisco HDLC",
        105 => "IEEE 802.11",
        108 => "OpenBSD loopback",
        127 => "IEEE 802.11 with radiotap",
        187 | 201 => "Bluetooth HCI",
        189 | 220 => "USB",
        195 | 230 => "IEEE 802.15.4",
        219 => "MPLS",
        227 => "CAN",
        239 => "NFLOG",
        247 => "InfiniBand",
        252 => "Wireshark's upper PDU",
        253 => "netlink",
        271 => "vsock",
        _ => return format!("{link_type} (see https://www.tcpdump.org/linktypes.html)"),
    };
    format!("{name} ({link_type})")
}
