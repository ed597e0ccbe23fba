//! The directory: what an address, port and protocol mean to the data plane.
//!
//! A cuckoo hash table (Pagh and Rodler, "Cuckoo hashing", 2004) with two places for each entry, of two neighbouring lines each
//! (Dietzfelbinger and Weidling, "Balanced allocation and dictionaries with tightly packed constant size bins", 2007: so it can be
//! filled to 89 %). Most searches read one line, none reads more than four, and the packet path never changes the table. A Bloom filter of one bit an address stands before it, so that
//! a packet for nobody reads no entry at all.

use lightpath_abi::{Address, Entry, FILTER_WORDS, Features, Role, Tag};

use crate::Tables;
use crate::hash::{HashKey, filter_bit};

/// Bits of a port number: the prefix length that stands for a single port.
pub(crate) const PORT_BITS: u32 = 16;

/// The entry of an address, port and protocol in a role; of several, the one with the fewest ports.
#[inline(always)]
pub fn search<T: Tables>(
    tables: &T,
    role: Role,
    address: Address,
    protocol: u8,
    port: u16,
) -> Option<&Entry> {
    if let Some(entry) = find(tables, address, Tag::new(role, protocol, port, PORT_BITS)) {
        return Some(entry);
    }
    if tables.parameters().features.has(Features::PORT_RANGES) {
        return tables.entry(tables.search_ranges(&RangeQuery::new(role, address, protocol, port))?);
    }
    None
}

/// What [`search_ranges`] looks for.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RangeQuery {
    pub(crate) address: Address,
    /// The tag of the single port.
    pub(crate) tag: u64,
}

impl RangeQuery {
    /// The address searched for.
    #[inline(always)]
    pub(crate) const fn address(&self) -> Address {
        self.address
    }

    /// The entry of the single port, or else of the fewest.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a tag is half a word")]
    pub(crate) fn find<'a, T: Tables>(&self, tables: &'a T) -> Option<&'a Entry> {
        find(tables, self.address, Tag(self.tag as u32))
            .or_else(|| tables.entry(search_ranges(self, tables)?))
    }

    #[inline(always)]
    pub(crate) fn new(role: Role, address: Address, protocol: u8, port: u16) -> Self {
        Self { address, tag: u64::from(Tag::new(role, protocol, port, PORT_BITS).0) }
    }
}

/// The position of the entry with the fewest ports, of those that stand for more than one.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a tag is half a word")]
pub fn search_ranges<T: Tables>(query: &RangeQuery, tables: &T) -> Option<u32> {
    let port_prefixes = tables.parameters().port_prefixes;
    let exact = Tag(query.tag as u32);
    let mut prefix = PORT_BITS;
    while prefix > 0 {
        prefix -= 1;
        if port_prefixes >> prefix & 1 == 0 {
            continue;
        }
        if let Some(position) = position(tables, query.address, exact.shortened(prefix)) {
            return Some(position);
        }
    }
    None
}

/// The entry of an address and tag.
#[inline(always)]
pub fn find<T: Tables>(tables: &T, address: Address, tag: Tag) -> Option<&Entry> {
    let [first, beside_first, second, beside_second] = lines(tables, address, tag);
    let at = |position| tables.entry(position).filter(|entry| entry.tag == tag && entry.address == address);
    at(first).or_else(|| at(beside_first)).or_else(|| at(second)).or_else(|| at(beside_second))
}

/// The position of the entry of an address and tag.
#[inline(always)]
pub(crate) fn position<T: Tables>(tables: &T, address: Address, tag: Tag) -> Option<u32> {
    let [first, beside_first, second, beside_second] = lines(tables, address, tag);
    let at = |position| {
        tables.entry(position).filter(|entry| entry.tag == tag && entry.address == address).map(|_| position)
    };
    at(first).or_else(|| at(beside_first)).or_else(|| at(second)).or_else(|| at(beside_second))
}

#[inline(always)]
fn lines<T: Tables>(tables: &T, address: Address, tag: Tag) -> [u32; 4] {
    let parameters = tables.parameters();
    places(parameters.hash_key, parameters.directory_mask, address, tag)
}

/// The lines where an entry may be.
#[inline(always)]
fn places(key: HashKey, mask: u32, address: Address, tag: Tag) -> [u32; 4] {
    let (first, second) = key.positions(address, tag, mask);
    [first, first ^ 1, second, second ^ 1]
}

/// Whether an address may be a VIP. False only when it is none.
#[inline(always)]
pub fn may_be_vip<T: Tables>(tables: &T, address: Address) -> bool {
    let (word, bit) = filter_bit(address);
    tables.filter(word) >> bit & 1 != 0
}

/// Whether an address may be a backend whose replies need undoing. False only when it is none.
#[inline(always)]
pub fn may_reply<T: Tables>(tables: &T, address: Address) -> bool {
    let (word, bit) = filter_bit(address);
    tables.filter(FILTER_WORDS + word) >> bit & 1 != 0
}

/// The place of an entry's bit in the filters, if it has one: word, and mask within it.
#[must_use]
pub fn filter_place(role: Role, address: Address) -> Option<(u32, u64)> {
    let (word, bit) = filter_bit(address);
    match role {
        Role::Service | Role::Vip | Role::Node => Some((word, 1 << bit)),
        Role::Reply => Some((FILTER_WORDS + word, 1 << bit)),
        Role::ServerId => None,
    }
}

/// A directory that can be changed, line by line.
pub trait Lines {
    /// A line; `position` is within the mask.
    fn line(&self, position: u32) -> Entry;

    /// Replaces a line such that a search in progress sees the old, the new or an empty line, never a mixture.
    fn replace(&mut self, position: u32, entry: &Entry);
}

/// No place was found: the directory is too full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Entries displaced by one insertion before giving up. Far more than a table needs that is not nearly full.
const MAX_DISPLACED: usize = 256;

/// Inserts an entry, or replaces the one of its address and tag.
///
/// Entries that have to make room are first copied to their other place and only then overwritten, from the far end of the
/// chain backwards, so that a search finds each of them at any moment.
pub fn insert<L: Lines>(lines: &mut L, key: HashKey, mask: u32, entry: &Entry) -> Result<(), Full> {
    let places = places(key, mask, entry.address, entry.tag);
    let same = |line: &Entry| line.tag == entry.tag && line.address == entry.address;
    if let Some(position) = places.into_iter().find(|position| same(&lines.line(*position))) {
        lines.replace(position, entry);
        return Ok(());
    }
    for position in places {
        if let Some(mut chain) = Chain::find(lines, key, mask, position) {
            while let Some((from, to)) = chain.pop() {
                let displaced = lines.line(from);
                lines.replace(to, &displaced);
            }
            lines.replace(position, entry);
            return Ok(());
        }
    }
    Err(Full)
}

/// Empties the line of an address and tag, if there is one.
pub fn remove<L: Lines>(lines: &mut L, key: HashKey, mask: u32, address: Address, tag: Tag) {
    for position in places(key, mask, address, tag) {
        let line = lines.line(position);
        if line.tag == tag && line.address == address {
            lines.replace(position, &Entry::default());
        }
    }
}

/// Positions whose entries each move to the next, the last of which is empty.
struct Chain {
    positions: [u32; MAX_DISPLACED + 1],
    length: usize,
}

impl Chain {
    fn find<L: Lines>(lines: &L, key: HashKey, mask: u32, start: u32) -> Option<Self> {
        let mut chain = Self { positions: [start; MAX_DISPLACED + 1], length: 0 };
        let mut position = start;
        for length in 0..=MAX_DISPLACED {
            *chain.positions.get_mut(length)? = position;
            chain.length = length;
            let line = lines.line(position);
            if line.tag.role().is_none() {
                return Some(chain);
            }
            position = next(lines, key, mask, position, &line);
            if chain.positions.get(..=length)?.contains(&position) {
                return None;
            }
        }
        None
    }

    /// The last move that is left, as from and to.
    fn pop(&mut self) -> Option<(u32, u32)> {
        let to = *self.positions.get(self.length)?;
        self.length = self.length.checked_sub(1)?;
        Some((*self.positions.get(self.length)?, to))
    }
}

/// Where the entry of a line goes when it has to make room: an empty line of its own if there is one, else its other place.
fn next<L: Lines>(lines: &L, key: HashKey, mask: u32, position: u32, line: &Entry) -> u32 {
    let [first, beside_first, second, beside_second] = places(key, mask, line.address, line.tag);
    let own = [first, beside_first, second, beside_second];
    if let Some(empty) = own.into_iter().find(|place| lines.line(*place).tag.role().is_none()) {
        return empty;
    }
    // Alternating between both lines of a place lets chains explore instead of running in circles.
    let (here, there) = if position | 1 == first | 1 { (first, second) } else { (second, first) };
    if position == here { there } else { there ^ 1 }
}
