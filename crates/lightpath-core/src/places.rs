//! The flow tables' few places for each flow: neighbours, in one cache line.

use core::hint::black_box;

use lightpath_abi::{FLOW_WAYS, Flow, FlowTable};

use crate::Tables;

/// The place with the lowest rank, 0 to 62, of those of a flow; places without a rank are left alone.
///
/// `black_box` hides from the verifier which of the places it is: it would follow the rest of the program once for each.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "there are four places")]
pub(crate) fn best_place<T: Tables>(
    tables: &T,
    table: FlowTable,
    key: u64,
    rank: impl Fn(&Flow) -> Option<u8>,
) -> Option<u32> {
    const NONE: u8 = u8::MAX;
    let first = table.first_place(key);
    let mut best = NONE;
    let mut way = 0;
    while way < FLOW_WAYS {
        if let Some(flow) = tables.flow(table, first + way)
            && let Some(rank) = rank(&flow)
        {
            let candidate = rank << 2 | way as u8;
            best = if candidate < best { candidate } else { best };
        }
        way += 1;
    }
    let best = black_box(best);
    if best == NONE { None } else { Some(first + u32::from(best) % FLOW_WAYS) }
}
