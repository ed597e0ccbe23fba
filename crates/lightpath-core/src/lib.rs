//! The packet path of Lightpath, written once: it runs in the kernel as an XDP program and on the host in tests, in the
//! simulator and for `lightpath explain`.
//!
//! ```text
//! parse(packet)          -> Frame | Reject    offsets, addresses, ports; no decision
//! decide(frame, tables)  -> Verdict           Pass | Drop | Forward; plain data
//! apply(verdict, packet) -> Verdict           header rewrites and checksums, nothing else
//! account(verdict)                            what is ours is counted once
//! ```
//!
//! Packets are reached through [`Packet`] and what the operator configured through [`Tables`]. Nothing here allocates,
//! panics or is `unsafe`; the functions are inlined into one, because the kernel's verifier follows bounds within a
//! function best and a BPF call costs a stack frame.

#![no_std]

mod account;
mod apply;
mod checksum;
mod decide;
pub mod directory;
mod hash;
#[cfg(feature = "host")]
pub mod host;
mod moving;
mod packet;
mod parse;
mod reason;
mod tables;
mod verdict;
pub mod wire;

pub use account::{Counters, account, count};
pub use apply::apply;
pub use checksum::{Delta, checksum};
use decide::decide_rejected;
pub use decide::{Placement, decide, placement};
pub use hash::{FlowHash, HashKey};
pub use moving::{Sighting, change, follow};
pub use packet::{OutOfBounds, Packet, SlicePacket};
use parse::Link;
pub use parse::{Frame, Reject, parse};
pub use reason::Reason;
pub use tables::{Parameters, Route, RouteQuery, Routes, Tables};
pub use verdict::{Direction, Drop, Egress, Forwarding, Rewrite, Verdict};

/// Takes a packet through the whole path: what became of it is in the packet and in the verdict.
///
/// The families part early and never meet again, so each gets code of its own in which nothing depends on the other.
#[inline(always)]
pub fn forward<P: Packet, T: Tables + Counters, R: Routes>(
    packet: &mut P,
    tables: &T,
    routes: &R,
) -> Verdict {
    let link = parse::link(packet, tables.parameters().features);
    match link {
        Link::Ipv4(offset) => carry_on(parse::ipv4(packet, offset), link, packet, tables, routes),
        Link::Ipv6(offset) => carry_on(parse::ipv6(packet, offset), link, packet, tables, routes),
        Link::Foreign => Verdict::Pass,
    }
}

#[inline(always)]
fn carry_on<P: Packet, T: Tables + Counters, R: Routes>(
    parsed: Result<Frame, Reject>,
    link: Link,
    packet: &mut P,
    tables: &T,
    routes: &R,
) -> Verdict {
    let verdict = match parsed {
        Ok(frame) => apply(decide(&frame, tables, routes), &frame, packet),
        Err(reject) => decide_rejected(reject, link, packet, tables),
    };
    account(verdict, packet.len(), tables);
    verdict
}
