//! The least that programs can do: what any other one costs has to be compared with these.

use aya_ebpf::bindings::xdp_action;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;

use crate::memory::{get, put};

/// Swaps the MAC addresses and transmits: no program that forwards can cost less.
#[xdp(frags)]
pub fn floor(context: XdpContext) -> u32 {
    let start = context.data();
    if start + 12 > context.data_end() {
        return xdp_action::XDP_DROP;
    }
    // In words, as the two addresses lie: six bytes each, the second across both words.
    let (first, second): (u64, u32) = (get(start, 0), get(start, 8));
    let (destination, source) = (first & 0xffff_ffff_ffff, first >> 48 | u64::from(second) << 16);
    put(start, 0, source | destination << 48);
    put(start, 8, (destination >> 16) as u32);
    xdp_action::XDP_TX
}

/// Drops what comes, unseen.
#[xdp(frags)]
pub fn discard(_context: XdpContext) -> u32 {
    xdp_action::XDP_DROP
}
