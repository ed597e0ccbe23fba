//! Fragments follow the first one of their datagram, the only one with ports.
//!
//! The first is remembered by what all of them share (RFC 791, 3.2; RFC 8200, 4.5). One that arrives before it is dropped: to
//! keep it would take a buffer that anybody could fill.

use lightpath_abi::{FRAGMENT_TIMEOUT, Flow, FlowTable};

use crate::places::best_place;
use crate::{FlowHash, Frame, Tables};

/// The rank of places that are in use; younger ones have a higher one.
const IN_USE: u8 = 2;

/// Remembers the ports of a first fragment.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "entries keep the lowest bits of the time; ages here are few"
)]
pub(crate) fn remember<T: Tables>(frame: &Frame, tables: &T) {
    let now = tables.now() as u16;
    let key = key(frame, tables);
    let place = best_place(tables, FlowTable::Fragments, key, |there| {
        let age = now.wrapping_sub(there.seen);
        match there {
            _ if there.key == key => Some(0),
            _ if there.key == 0 || age > FRAGMENT_TIMEOUT => Some(1),
            // The oldest goes first.
            _ => Some(IN_USE + FRAGMENT_TIMEOUT.wrapping_sub(age) as u8),
        }
    });
    if let Some(place) = place {
        let ports = u32::from(frame.source_port) << 16 | u32::from(frame.destination_port);
        tables.remember(FlowTable::Fragments, place, Flow { key, detail: ports, backend: 0, seen: now });
    }
}

/// Gives a later fragment the ports of its datagram; whether they are known.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "entries keep the lowest bits of the time, and a port in each half of the detail"
)]
pub(crate) fn recall<T: Tables>(frame: &mut Frame, tables: &T) -> bool {
    let now = tables.now() as u16;
    let key = key(frame, tables);
    let place = best_place(tables, FlowTable::Fragments, key, |there| {
        (there.key == key && now.wrapping_sub(there.seen) <= FRAGMENT_TIMEOUT).then_some(0)
    });
    let Some(flow) = place.and_then(|place| tables.flow(FlowTable::Fragments, place)) else {
        return false;
    };
    (frame.source_port, frame.destination_port) = ((flow.detail >> 16) as u16, flow.detail as u16);
    true
}

#[inline(always)]
fn key<T: Tables>(frame: &Frame, tables: &T) -> u64 {
    FlowHash::of_datagram(tables.parameters().hash_key, frame).key()
}
