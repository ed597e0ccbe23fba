//! Ethernet II (IEEE 802.3) and VLAN tags (IEEE 802.1Q, 802.1ad).

use crate::{OutOfBounds, Packet};

/// Length of the untagged header.
pub const LENGTH: usize = 14;
/// Length of one VLAN tag.
pub const TAG_LENGTH: usize = 4;

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// EtherType of an 802.1Q tag.
pub const VLAN: u16 = 0x8100;
/// EtherType of an 802.1ad service tag, the outer of two.
pub const SERVICE_VLAN: u16 = 0x88a8;

/// The EtherType at `offset`, be it of the frame or within a tag.
#[inline(always)]
pub fn ether_type<P: Packet>(packet: &P, offset: usize) -> Result<u16, OutOfBounds> {
    packet.load(offset).map(u16::from_be_bytes)
}

/// Offset of the EtherType in an untagged frame.
pub const ETHER_TYPE: usize = 12;

/// Whether an EtherType says that a tag follows.
#[inline(always)]
#[must_use]
pub const fn is_tag(ether_type: u16) -> bool {
    ether_type == VLAN || ether_type == SERVICE_VLAN
}

/// Sets both MAC addresses; EtherType and tags stay.
#[inline(always)]
#[expect(clippy::many_single_char_names, reason = "octets have no names")]
pub fn store_addresses<P: Packet>(packet: &mut P, mac: [u8; 6], source: [u8; 6]) -> Result<(), OutOfBounds> {
    let ([a, b, c, d, e, f], [g, h, i, j, k, l]) = (mac, source);
    packet.store(0, [a, b, c, d, e, f, g, h, i, j, k, l])
}
