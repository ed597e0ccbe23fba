//! The addresses of this node's own that packets to backends come from, and where the packet path finds them.
//!
//! Backends that are sent from the same prefixes share a group of places in one array. A packet that is under way has read
//! which place it goes by, so a group stays where it is for as long as a backend names it, and a place is given to another
//! group no sooner than in the round after the one that left it.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;
use lightpath_abi::{Address, Backend, Source};
use lightpath_core::host::Image;

/// The place that no array has, for a backend that there is no address for: the packet path drops and says why.
pub(crate) const NO_SOURCE: u16 = u16::MAX;

/// The array, and who uses it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    table: Vec<Source>,
    /// Places that packets may be going by.
    live: BTreeSet<usize>,
    /// Places of this round.
    used: BTreeSet<usize>,
    /// Groups of this round.
    placed: HashMap<Vec<IpNet>, u16>,
}

impl Sources {
    /// The array of running tables.
    pub(crate) fn of_running(image: &Image) -> Self {
        let mut sources = Self { table: image.sources.clone(), ..Self::default() };
        let live = image.backends.values().flat_map(|backend| sources.group_at(backend.source)).collect();
        sources.live = live;
        sources
    }

    /// The array as it is to be.
    pub(crate) fn table(&self) -> &[Source] {
        &self.table
    }

    /// Begins a round. What a round that failed has placed may have been written.
    pub(crate) fn begin(&mut self) {
        self.live.append(&mut self.used);
        self.placed.clear();
    }

    /// Ends a round that was applied.
    pub(crate) fn end(&mut self) {
        self.live = std::mem::take(&mut self.used);
    }

    /// The place of a group: that which it has, or a free one; [`NO_SOURCE`] of an empty one.
    pub(crate) fn place(&mut self, group: &[IpNet]) -> u16 {
        if group.is_empty() {
            return NO_SOURCE;
        }
        if let Some(place) = self.placed.get(group) {
            return *place;
        }
        let wanted = records(group);
        let present = self.table.windows(wanted.len()).position(|window| window == wanted);
        let place = present.unwrap_or_else(|| self.free(wanted.len()));
        for (index, source) in (place..).zip(wanted) {
            match self.table.get_mut(index) {
                Some(there) => *there = source,
                None => self.table.push(source),
            }
            self.used.insert(index);
        }
        // The data plane refuses an array that is larger than its own, long before places run out of numbers.
        let place = u16::try_from(place).unwrap_or(NO_SOURCE);
        self.placed.insert(group.to_vec(), place);
        place
    }

    /// The place where a running backend has a single address, for as long as it cannot be told anew which.
    pub(crate) fn keep(&mut self, running: Option<&Backend>, backend: IpAddr) -> u16 {
        let kept = running.and_then(|running| {
            let source = self.table.get(usize::from(running.source))?;
            let is_single = source.count == 1 && source.spread == 0;
            (is_single && source.address.is_v4() == backend.is_ipv4()).then_some(running.source)
        });
        self.used.extend(kept.iter().map(|place| usize::from(*place)));
        kept.unwrap_or(NO_SOURCE)
    }

    /// Every address of the group at a place.
    pub(crate) fn addresses(&self, place: u16) -> impl Iterator<Item = Address> {
        let group = self.group_at(place).filter_map(|index| self.table.get(index));
        group.flat_map(|source| {
            let Source { address: Address { high, low }, spread, .. } = *source;
            (0..=spread).map(move |host| Address { high, low: low | host })
        })
    }

    /// The places of the group that begins here.
    fn group_at(&self, place: u16) -> std::ops::Range<usize> {
        let first = usize::from(place);
        let count = self.table.get(first).map_or(0, |source| source.count as usize);
        first..(first + count).min(self.table.len())
    }

    /// The first of so many places that nobody uses.
    fn free(&self, count: usize) -> usize {
        let taken = |index: &usize| self.live.contains(index) || self.used.contains(index);
        let mut first = 0;
        while let Some(last_taken) = (first..first + count).rfind(taken) {
            first = last_taken + 1;
        }
        first
    }
}

/// A group as the packet path reads it.
pub(crate) fn records(group: &[IpNet]) -> Vec<Source> {
    let counts = (1..=u32::try_from(group.len()).unwrap_or(u32::MAX)).rev();
    let record = |(prefix, count): (&IpNet, u32)| Source {
        address: Address::from(prefix.network()),
        spread: spread(*prefix),
        count,
        reserved: 0,
    };
    group.iter().zip(counts).map(record).collect()
}

/// The bits of an address's last half that a prefix leaves open.
fn spread(prefix: IpNet) -> u64 {
    let open = u32::from(prefix.max_prefix_len() - prefix.prefix_len());
    u64::MAX.checked_shr(64_u32.saturating_sub(open)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
