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
mod answer;
mod apply;
mod capture;
mod checksum;
mod decap;
mod decide;
mod direct;
pub mod directory;
mod ends;
mod fast;
mod fragments;
mod fullnat;
mod hash;
#[cfg(feature = "host")]
pub mod host;
mod icmp;
mod limit;
mod moving;
mod opening;
mod packet;
mod parse;
mod places;
mod quic;
mod quote;
mod reason;
mod session;
mod session_errors;
mod slow;
mod source;
mod spread;
mod stateful;
mod tables;
mod translate;
mod translate_error;
mod tunnel;
mod verdict;
pub mod wire;

pub use account::{Counters, account, count};
pub use apply::apply;
pub use capture::{BALANCER_PLACE, PLACES, is_about_client, is_wanted};
pub use checksum::{Delta, checksum};
pub use decap::{Fate, Format, Refusal, TunnelEnd, decapsulate};
pub use decide::{Placement, decide, placement};
pub use direct::{Passing, is_noticed, notice};
pub use fast::fast_path;
pub use hash::{FlowHash, HashKey};
pub use icmp::{flow_of_error, icmp_path};
pub use limit::{Budget, ERRORS_PER_SECOND};
pub use moving::{Sighting, change, follow};
pub use opening::{opening_path, take};
pub use packet::{OutOfBounds, Packet, SlicePacket};
pub use parse::{Frame, Part, Reject, parse, parse_any};
pub use quic::{backend as backend_of_connection, server_id, server_id_line};
pub use reason::Reason;
pub use session::{has_session, is_over, is_served_by, leads, timeout};
pub use session_errors::session_error_path;
pub use slow::slow_path;
pub use spread::spread;
pub use stateful::{answer_path, session_path};
pub use tables::{Parameters, PortPool, Route, RouteQuery, Routes, Tables};
pub use verdict::{
    Direction, Drop, Egress, Endpoints, Forwarding, Outer, Reply, ReplyKind, Rewrite, Stage, Verdict,
};

/// Takes a packet through the whole path: what became of it is in the packet and in the verdict.
#[inline(always)]
pub fn forward<'a, P: Packet, T: Tables + Counters, R: Routes>(
    packet: &mut P,
    tables: &'a T,
    routes: &R,
) -> Verdict<'a> {
    let keep = |verdict| verdict;
    let mut verdict = fast_path(packet, tables, routes, &keep);
    while let Verdict::Defer(stage) = verdict {
        verdict = match stage {
            Stage::Slow => slow_path(packet, tables, routes, &keep),
            Stage::Icmp => icmp_path(packet, tables, routes, &keep),
            Stage::Session => session_path(packet, tables, routes, &keep),
            Stage::Opening => opening_path(packet, tables, &keep),
            Stage::Answer => answer_path(packet, tables, &keep),
            Stage::SessionError => session_error_path(packet, tables, routes, &keep),
        };
    }
    verdict
}
