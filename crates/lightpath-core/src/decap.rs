//! Decapsulation: the backend's end of a tunnel.
//!
//! A packet is taken out of IPIP (RFC 2003, RFC 2473, RFC 4213) or GUE (draft-ietf-intarea-gue-09) and left to the kernel, as if
//! it had come without the tunnel. A host that does so for anybody lends its address to anybody (CVE-2020-10136,
//! CVE-2024-7596), so three addresses are looked at: the tunnel has to lead to this host and come from a listed source, and the
//! packet in it has to be for this host. What is no tunnel to this host is the kernel's, untouched.

mod ecn;
mod inner;
mod outer;

use lightpath_abi::Address;

use crate::wire::{ethernet, ipv4, ipv6};
use crate::{OutOfBounds, Packet};
use inner::Inner;
use outer::Tunnel;

/// The host that tunnels end at: whom it believes, and what it counts.
pub trait TunnelEnd {
    /// Whether packets to this address are delivered on this host.
    fn is_local(&self, address: Address) -> bool;

    /// Whether tunnels from this address are unwrapped.
    fn is_listed(&self, source: Address) -> bool;

    /// Whether tunnels from other addresses are dropped. Otherwise they are the kernel's, which may have tunnels of its own.
    fn is_strict(&self) -> bool;

    /// A packet of so many bytes was unwrapped.
    fn unwrapped(&self, format: Format, bytes: usize);

    /// A packet was not unwrapped.
    fn refused(&self, refusal: Refusal);
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[must_use]
pub enum Fate {
    /// The kernel gets it untouched.
    Pass,
    /// The kernel gets what was in the tunnel.
    Unwrapped,
    /// It ends here.
    Drop,
}

/// A tunnel's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Format {
    /// IP directly in IP.
    Ipip = 0,
    /// Generic UDP encapsulation, port 6080.
    Gue = 1,
}

impl Format {
    /// Both, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Ipip, Self::Gue];

    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ipip => "ipip",
            Self::Gue => "gue",
        }
    }
}

/// Why a packet in a tunnel to this host was not unwrapped. Each is a counter and a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Refusal {
    /// The tunnel comes from an address that is not listed.
    UnlistedSource = 0,
    /// The outer IP header contradicts itself or its checksum.
    OuterHeader = 1,
    /// The outer length, of IP or UDP, is more than there is, or less than the headers take.
    OuterLength = 2,
    /// The outer header has IPv4 options or IPv6 extension headers, which no balancer sends.
    OuterOptions = 3,
    /// The tunnel's packet was fragmented on its way, which the balancer forbids.
    OuterFragment = 4,
    /// A GUE header of an unknown variant, with unknown flags, or of a control message.
    GueHeader = 5,
    /// What is in the tunnel is no IP packet of the version that was announced.
    InnerHeader = 6,
    /// The packet in the tunnel is longer than the tunnel, or cut short.
    InnerLength = 7,
    /// The packet in the tunnel is for an address that this host does not have: its VIP is missing.
    NotLocal = 8,
    /// Congestion was marked on the way, on a packet whose sender does not understand it (RFC 6040, 4.2).
    Congestion = 9,
    /// A packet that was to be unwrapped could not be rewritten.
    Rewrite = 10,
}

impl Refusal {
    /// Every refusal, in the order of its number.
    pub const ALL: [Self; 11] = [
        Self::UnlistedSource,
        Self::OuterHeader,
        Self::OuterLength,
        Self::OuterOptions,
        Self::OuterFragment,
        Self::GueHeader,
        Self::InnerHeader,
        Self::InnerLength,
        Self::NotLocal,
        Self::Congestion,
        Self::Rewrite,
    ];

    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnlistedSource => "unlisted-source",
            Self::OuterHeader => "outer-header",
            Self::OuterLength => "outer-length",
            Self::OuterOptions => "outer-options",
            Self::OuterFragment => "outer-fragment",
            Self::GueHeader => "gue-header",
            Self::InnerHeader => "inner-header",
            Self::InnerLength => "inner-length",
            Self::NotLocal => "not-local",
            Self::Congestion => "congestion",
            Self::Rewrite => "rewrite",
        }
    }
}

const _: () = {
    let mut number = 0;
    while number < Refusal::ALL.len() {
        assert!(Refusal::ALL[number] as usize == number);
        number += 1;
    }
};

/// Takes a packet out of its tunnel, if it is in one: what became of it is in the packet.
#[inline(always)]
pub fn decapsulate<P: Packet, E: TunnelEnd>(packet: &mut P, end: &E) -> Fate {
    let Some(tunnel) = outer::find(packet) else {
        return Fate::Pass;
    };
    if !end.is_local(tunnel.destination) {
        return Fate::Pass;
    }
    if !end.is_listed(tunnel.source) {
        end.refused(Refusal::UnlistedSource);
        return if end.is_strict() { Fate::Drop } else { Fate::Pass };
    }
    let bytes = tunnel.bytes(packet.len());
    match open(&tunnel, packet, end) {
        Ok(()) => {
            end.unwrapped(tunnel.format, bytes);
            Fate::Unwrapped
        }
        Err(refusal) => {
            end.refused(refusal);
            Fate::Drop
        }
    }
}

#[inline(always)]
fn open<P: Packet, E: TunnelEnd>(tunnel: &Tunnel, packet: &mut P, end: &E) -> Result<(), Refusal> {
    let carried = tunnel.carried(packet)?;
    let inner = Inner::check(packet, &carried)?;
    if !end.is_local(inner.destination) {
        return Err(Refusal::NotLocal);
    }
    let ecn = ecn::combined(inner.ecn, tunnel.ecn).ok_or(Refusal::Congestion)?;
    take_out(tunnel, &inner, ecn, packet).map_err(|OutOfBounds| Refusal::Rewrite)
}

/// Takes everything between the Ethernet header and the packet in the tunnel away. The packet's TTL stays: on its way to here the
/// balancer has counted it down, and to it the tunnel is one hop.
#[inline(always)]
fn take_out<P: Packet>(tunnel: &Tunnel, inner: &Inner, ecn: u8, packet: &mut P) -> Result<(), OutOfBounds> {
    if ecn != inner.ecn {
        if inner.v4 {
            ipv4::store_ecn(packet, inner.offset, ecn)?;
        } else {
            ipv6::store_ecn(packet, inner.offset, ecn)?;
        }
    }
    let ether_type = if inner.v4 { ethernet::IPV4 } else { ethernet::IPV6 };
    ethernet::shift_header(packet, tunnel.network, inner.offset - tunnel.network, ether_type)
}
