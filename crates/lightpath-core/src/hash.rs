//! The keyed hashes that place a flow on a slot and an address in the directory.
//!
//! Multiply and shift with a secret multiplier: a client that does not know the key cannot aim its flows at one slot, and
//! three instructions a word keep it far below a memory access. It is no cryptographic hash.

use lightpath_abi::{Address, FILTER_WORDS, Slots, Tag};

use crate::{Endpoints, Frame};

/// Key of the flow hash. Nodes with equal keys and tables send a flow to the same backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashKey {
    /// Where the hash starts.
    pub start: u64,
    /// What it multiplies by; odd.
    pub multiplier: u64,
}

impl HashKey {
    /// The key of a configured seed: FNV-1a over its bytes, then SplitMix64 for each half. Stable across versions.
    #[must_use]
    pub const fn from_seed(seed: &str) -> Self {
        let bytes = seed.as_bytes();
        let mut state = 0xcbf2_9ce4_8422_2325_u64;
        let mut index = 0;
        while index < bytes.len() {
            state = (state ^ bytes[index] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            index += 1;
        }
        Self { start: split_mix(state, 1), multiplier: split_mix(state, 2) | 1 }
    }

    #[inline(always)]
    const fn absorb(self, hash: u64, word: u64) -> u64 {
        let hash = (hash ^ word).wrapping_mul(self.multiplier);
        hash ^ hash >> 32
    }

    #[inline(always)]
    const fn finish(self, hash: u64) -> u64 {
        let hash = hash.wrapping_mul(self.multiplier);
        hash ^ hash >> 32
    }

    /// The two lines of the directory where an entry may be.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken in turn")]
    pub(crate) const fn positions(self, address: Address, tag: Tag, mask: u32) -> (u32, u32) {
        let hash = self.absorb(self.absorb(self.start, address.high ^ tag.0 as u64), address.low);
        let hash = self.finish(hash);
        ((hash >> 32) as u32 & mask, hash as u32 & mask)
    }
}

/// The hash of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowHash(u64);

impl FlowHash {
    /// The hash of a packet's 5-tuple.
    #[inline(always)]
    #[must_use]
    pub const fn of_flow(key: HashKey, frame: &Frame) -> Self {
        let endpoints = Endpoints {
            source: frame.source,
            destination: frame.destination,
            source_port: frame.source_port,
            destination_port: frame.destination_port,
        };
        Self::of_tuple(key, frame.v4, frame.protocol, &endpoints)
    }

    /// The hash of a 5-tuple.
    #[inline(always)]
    #[must_use]
    pub(crate) const fn of_tuple(key: HashKey, v4: bool, protocol: u8, ends: &Endpoints) -> Self {
        let (source, destination) = (ends.source, ends.destination);
        let ports = (protocol as u64) << 32 | (ends.source_port as u64) << 16 | ends.destination_port as u64;
        let hash = key.start;
        let hash = if v4 {
            key.absorb(hash, (source.low32() as u64) << 32 | destination.low32() as u64)
        } else {
            let hash = key.absorb(key.absorb(hash, source.high), source.low);
            key.absorb(key.absorb(hash, destination.high), destination.low)
        };
        Self(key.finish(key.absorb(hash, ports)))
    }

    /// The hash of the flow whose packets go the other way.
    #[inline(always)]
    #[must_use]
    pub const fn of_reverse(key: HashKey, frame: &Frame) -> Self {
        let reverse = Frame {
            source: frame.destination,
            destination: frame.source,
            source_port: frame.destination_port,
            destination_port: frame.source_port,
            ..*frame
        };
        Self::of_flow(key, &reverse)
    }

    /// Another hash for each connection that a flow's endpoints have, one after another.
    #[inline(always)]
    #[must_use]
    pub(crate) const fn of_connection(self, key: HashKey, sequence: u32) -> Self {
        Self(key.finish(key.absorb(self.0, sequence as u64)))
    }

    /// The hash of what all fragments of a datagram share.
    #[inline(always)]
    #[must_use]
    pub(crate) const fn of_datagram(key: HashKey, frame: &Frame) -> Self {
        let hash = key.absorb(key.absorb(key.start, frame.source.high), frame.source.low);
        let hash = key.absorb(key.absorb(hash, frame.destination.high), frame.destination.low);
        Self(key.finish(key.absorb(hash, (frame.protocol as u64) << 32 | frame.identification as u64)))
    }

    /// The hash of a packet's source address alone, the same for every service.
    #[inline(always)]
    #[must_use]
    pub const fn of_source(key: HashKey, frame: &Frame) -> Self {
        Self(key.finish(key.absorb(key.absorb(key.start, frame.source.high), frame.source.low)))
    }

    /// The hash itself, as people are shown it.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// What stands for the flow in the flow table; never 0, which marks an empty place.
    #[inline(always)]
    #[must_use]
    pub const fn key(self) -> u64 {
        self.0 | 1 << 63
    }

    /// The half of [`key`](Self::key) that stands for a session, or for a flow in the index of sessions; its highest bit is set.
    #[inline(always)]
    #[must_use]
    pub(crate) const fn session_key(self) -> u32 {
        (self.key() >> 32) as u32
    }

    /// A source port of a tunnel, from the range that is nobody's (RFC 6335, section 6), for the flow's packets to travel one way
    /// and different flows different ones.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are what is wanted")]
    pub const fn source_port(self) -> u16 {
        0xc000 | (self.0 as u16 & 0x3fff)
    }

    /// A flow label of a tunnel (RFC 6437), 20 bits, never 0.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are what is wanted")]
    pub const fn flow_label(self) -> u32 {
        self.0 as u32 & 0xf_ffff | 1
    }

    /// Bits that differ between flows.
    #[inline(always)]
    pub(crate) const fn spread(self) -> u64 {
        self.0.rotate_left(20)
    }

    /// One of `count` things.
    #[inline(always)]
    pub(crate) const fn choose(self, count: u32) -> u32 {
        (((self.0 & 0xffff_ffff) * count as u64) >> 32) as u32
    }

    /// The index of the flow's slot in the array of all slots: the hash scaled to the number of slots, without division.
    #[inline(always)]
    #[must_use]
    pub const fn slot(self, slots: Slots) -> u32 {
        let scaled = ((self.0 >> 32) * slots.count() as u64) >> 32;
        slots.base().wrapping_add(scaled as u32)
    }
}

/// The bit of a Bloom filter that stands for an address: word, and bit within it.
#[inline(always)]
#[must_use]
pub(crate) const fn filter_bit(address: Address) -> (u32, u32) {
    let folded = address.low ^ address.high.rotate_left(29);
    let bit = (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u32;
    (bit >> 6 & (FILTER_WORDS - 1), bit & 63)
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
const fn split_mix(state: u64, step: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(step));
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
