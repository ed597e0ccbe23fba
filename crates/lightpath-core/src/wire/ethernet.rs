//! Ethernet II (IEEE 802.3) and VLAN tags (IEEE 802.1Q, 802.1ad).

use lightpath_abi::NextHop;

use zerocopy::transmute;

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

/// Bytes of the header that leads to a next hop.
#[inline(always)]
#[must_use]
pub const fn header_length(hop: &NextHop) -> usize {
    if hop.vlan == 0 { LENGTH } else { LENGTH + TAG_LENGTH }
}

/// Sets both MAC addresses; EtherType and tags stay.
#[inline(always)]
#[expect(clippy::many_single_char_names, reason = "octets have no names")]
pub fn store_addresses<P: Packet>(packet: &mut P, hop: &NextHop) -> Result<(), OutOfBounds> {
    let ([a, b, c, d, e, f], [g, h, i, j, k, l]) = (hop.mac, hop.source_mac);
    packet.store(0, [a, b, c, d, e, f, g, h, i, j, k, l])
}

/// Stores the whole header that leads to a next hop, [`header_length`] bytes.
#[inline(always)]
pub fn store_header<P: Packet>(packet: &mut P, hop: &NextHop, ether_type: u16) -> Result<(), OutOfBounds> {
    store_addresses(packet, hop)?;
    if hop.vlan == 0 {
        return packet.store(ETHER_TYPE, ether_type.to_be_bytes());
    }
    let tag = u32::from(VLAN) << 16 | u32::from(hop.vlan);
    packet.store(ETHER_TYPE, tag.to_be_bytes())?;
    packet.store(ETHER_TYPE + TAG_LENGTH, ether_type.to_be_bytes())
}

/// Takes `by` bytes from behind the header of `length` bytes away: it keeps its MAC addresses and tags, and gets another EtherType.
#[inline(always)]
pub fn shift_header<P: Packet>(
    packet: &mut P,
    length: usize,
    by: usize,
    ether_type: u16,
) -> Result<(), OutOfBounds> {
    const ONE_TAG: usize = LENGTH + TAG_LENGTH;
    match length {
        LENGTH => shift::<ETHER_TYPE, P>(packet, by, ether_type),
        ONE_TAG => shift::<{ ETHER_TYPE + TAG_LENGTH }, P>(packet, by, ether_type),
        _ => shift::<{ ETHER_TYPE + 2 * TAG_LENGTH }, P>(packet, by, ether_type),
    }
}

/// `N` bytes are before the EtherType.
#[inline(always)]
fn shift<const N: usize, P: Packet>(packet: &mut P, by: usize, ether_type: u16) -> Result<(), OutOfBounds> {
    let header: [u8; N] = packet.load(0)?;
    packet.pull(by)?;
    packet.store(0, header)?;
    packet.store(N, ether_type.to_be_bytes())
}

/// The header that leads a packet back to where it came from, tags included.
///
/// It is kept with the bytes behind it, as many as the longest header has, so that all headers are one to the verifier. No IP
/// packet is shorter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WayBack([u64; WAY_BACK / 8]);

const WAY_BACK: usize = 24;

impl WayBack {
    /// Of a packet.
    #[inline(always)]
    pub(crate) fn of<P: Packet>(packet: &P) -> Result<Self, OutOfBounds> {
        let bytes: [u8; WAY_BACK] = packet.load(0)?;
        let [first, second, rest]: [u64; WAY_BACK / 8] = transmute!(bytes);
        let (first, second) = (u64::from_be(first), u64::from_be(second));
        let destination = first >> 16;
        let source = (first & 0xffff) << 32 | second >> 32;
        let first = source << 16 | destination >> 32;
        let second = destination << 32 | second & 0xffff_ffff;
        Ok(Self([first.to_be(), second.to_be(), rest]))
    }

    /// Stores it at the front of a packet; what comes behind the header is to be stored afterwards.
    #[inline(always)]
    pub(crate) fn store<P: Packet>(self, packet: &mut P) -> Result<(), OutOfBounds> {
        packet.store::<WAY_BACK>(0, transmute!(self.0))
    }
}

/// Whether a packet was sent to more than one (the group bit of IEEE 802), as a broadcast is.
#[inline(always)]
pub(crate) fn is_to_a_group<P: Packet>(packet: &P) -> bool {
    packet.load(0).is_ok_and(|[first, _]| first & 1 != 0)
}
