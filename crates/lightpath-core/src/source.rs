//! Addresses of this node that packets to backends come from.

use lightpath_abi::{Address, Backend, Source};

use crate::{FlowHash, Tables};

/// The prefix from which a flow's packets go to a backend, unless this node has none.
#[inline(always)]
pub(crate) fn source<'a, T: Tables>(backend: &Backend, hash: FlowHash, tables: &'a T) -> Option<&'a Source> {
    let first = tables.source(u32::from(backend.source))?;
    match first.count {
        0 => None,
        1 => Some(first),
        count => tables.source(u32::from(backend.source) + hash.choose(count)),
    }
}

/// The address of a prefix that a flow uses.
#[inline(always)]
pub(crate) const fn address(source: &Source, hash: FlowHash) -> Address {
    let Source { address, spread, .. } = *source;
    Address { high: address.high, low: address.low | hash.spread() & spread }
}
