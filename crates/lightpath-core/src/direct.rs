//! Connections made straight to a `nat` backend's address, with this node as a mere router on the way.
//!
//! Their replies look like replies to a service's clients and must not get a VIP as their source. So such a connection is noticed
//! on its way in, and while there are any, replies are looked up before they are undone.

use lightpath_abi::{Address, Features, Flow, FlowTable, IDLE_TIMEOUT, Role, Tag};

use crate::directory::{PORT_BITS, RangeQuery, position, search_ranges};
use crate::places::best_place;
use crate::{FlowHash, Frame, Tables};

/// A packet that may be sent straight to a backend.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Passing {
    /// Where it is sent.
    address: Address,
    /// The tag of the backend's replies there.
    tag: u64,
    /// What stands for its flow.
    key: u64,
}

impl Passing {
    #[inline(always)]
    pub(crate) fn new<T: Tables>(frame: &Frame, tables: &T) -> Self {
        Self {
            address: frame.destination,
            tag: u64::from(Tag::new(Role::Reply, frame.protocol, frame.destination_port, PORT_BITS).0),
            key: FlowHash::of_flow(tables.parameters().hash_key, frame).key(),
        }
    }
}

/// Remembers the flow of a packet that is sent straight to a backend.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "entries keep the lowest bits of the time; a tag is half a word"
)]
pub fn notice<T: Tables>(packet: &Passing, tables: &T) {
    let Passing { address, tag, key } = *packet;
    let exact = position(tables, address, Tag(tag as u32));
    let listed = if exact.is_none() && tables.parameters().features.has(Features::PORT_RANGES) {
        // Not by way of `Tables`: this is a function of its own already, and the kernel adds up the stacks of those that call another.
        search_ranges(&RangeQuery { address, tag }, tables)
    } else {
        exact
    };
    if listed.is_none() {
        return;
    }
    let now = tables.now() as u16;
    let place = best_place(tables, FlowTable::Direct, key, |there| match there {
        _ if there.key == key => Some(0),
        _ if there.key == 0 || now.wrapping_sub(there.seen) > IDLE_TIMEOUT => Some(1),
        // All are in use: one of them goes.
        _ => Some(2),
    });
    if let Some(place) = place {
        tables.remember(FlowTable::Direct, place, Flow { key, detail: 0, backend: 0, seen: now });
        tables.set_direct();
    }
}

/// Whether a packet of a backend belongs to a connection that was made straight to it.
#[inline(always)]
pub(crate) fn is_answered<T: Tables>(frame: &Frame, tables: &T) -> bool {
    tables.has_direct() && tables.is_noticed(FlowHash::of_reverse(tables.parameters().hash_key, frame).key())
}

/// Whether the flow with this key was noticed, and not too long ago.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "entries keep the lowest bits of the time")]
pub fn is_noticed<T: Tables>(key: u64, tables: &T) -> bool {
    let now = tables.now() as u16;
    best_place(tables, FlowTable::Direct, key, |there| {
        (there.key == key && now.wrapping_sub(there.seen) <= IDLE_TIMEOUT).then_some(0)
    })
    .is_some()
}
