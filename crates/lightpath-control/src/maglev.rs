//! Weighted Maglev: which backend holds which slot of a service's table.
//!
//! Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4. Every
//! backend walks the slots in an order of its own, and the backends take turns to claim the next slot of theirs that
//! is still free. Both the orders and the turns depend on each backend's identity and weight alone, so the table is
//! the same whatever order the backends are listed in, and a change of one backend leaves most slots where they were.
//!
//! The paper leaves weights to "altering the relative frequency of the backends' turns". Here a backend of weight `w`
//! takes its turn number `k` (from 0) at the virtual time `(k + ½) / w`, which gives it its exact share of the slots
//! rounded to a whole number, whatever the ratio of the weights. Turn 0 is the exception: everybody takes it at the
//! start, so that no backend with a weight is left without a slot. Counting turns in time rather than rounds costs
//! O(slots × log backends) even for weights of 1 against 65,535.

mod prime;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::net::IpAddr;

pub use prime::{is_prime, next_prime, previous_prime};

/// The smallest table a service may have.
pub const MIN_SIZE: u32 = 11;

/// The largest table a service may have: the largest prime below 2^20.
pub const MAX_SIZE: u32 = 1_048_573;

/// Whether a table can have this size.
#[must_use]
pub fn is_size(slots: u32) -> bool {
    slots <= MAX_SIZE && is_prime(slots)
}

/// A backend that wants slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Candidate {
    /// Who it is, from [`identity`]: decides its order of preference among the slots.
    pub key: u64,
    /// Its share relative to the other candidates; 0 gets no slot.
    pub weight: u16,
    /// What is written into its slots, from 1. It has no influence on which slots these are.
    pub number: u16,
}

/// A table of `size` slots, each with the number of a candidate, or 0 everywhere when no candidate has a weight.
///
/// Every candidate with a weight gets its share of `size`, rounded, and at least one slot while there are as many
/// slots as candidates. The order of `candidates` is irrelevant. Candidates numbered 0, which means "none" in a slot,
/// are left out. Two candidates of one key are served in turn, by weight and then by number.
///
/// # Panics
///
/// If `size` is not a prime of at most [`MAX_SIZE`]: only a prime makes every walk visit every slot. Configuration
/// does not let another size through.
#[must_use]
pub fn table(candidates: &[Candidate], size: u32) -> Vec<u16> {
    assert!(is_size(size), "a Maglev table of {size} slots");
    let mut slots = vec![0; size as usize];

    let mut candidates: Vec<Candidate> =
        candidates.iter().copied().filter(|candidate| candidate.weight > 0 && candidate.number > 0).collect();
    candidates.sort_unstable();
    let mut claimants: Vec<Claimant> =
        candidates.iter().map(|candidate| Claimant::new(candidate, size)).collect();
    let mut turns: BinaryHeap<Reverse<(u64, usize)>> =
        claimants.iter().enumerate().map(|(rank, claimant)| Reverse((claimant.next_turn(), rank))).collect();

    for _ in 0..size {
        let Some(mut turn) = turns.peek_mut() else { break };
        let Reverse((time, rank)) = &mut *turn;
        let claimant = &mut claimants[*rank];
        claimant.claim(&mut slots);
        *time = claimant.next_turn();
        // Sifts the claimant down to its next turn: half the work of a pop and a push.
        drop::<PeekMut<_>>(turn);
    }
    slots
}

/// A candidate on its walk through the slots.
struct Claimant {
    number: u16,
    weight: u64,
    turns_taken: u64,
    /// The next slot it prefers.
    position: u32,
    /// How far apart its preferences lie, from 1 to `size - 1`.
    skip: u32,
}

impl Claimant {
    fn new(candidate: &Candidate, size: u32) -> Self {
        Self {
            number: candidate.number,
            weight: u64::from(candidate.weight),
            turns_taken: 0,
            position: reduce(mix(candidate.key ^ OFFSET), size),
            skip: reduce(mix(candidate.key ^ SKIP), size - 1) + 1,
        }
    }

    /// The virtual time of its next turn, in units of 2^-41.
    ///
    /// Times that differ at all differ by at least 1 / (65,535 × 65,535) > 2^-32, so rounding down never reorders
    /// or joins two of them. At most 2^20 turns keep the product within 61 bits.
    fn next_turn(&self) -> u64 {
        match self.turns_taken {
            0 => 0,
            k => ((2 * k + 1) << 40) / self.weight,
        }
    }

    /// Takes the first free slot of its walk; there is one.
    fn claim(&mut self, slots: &mut [u16]) {
        #[expect(clippy::cast_possible_truncation, reason = "a table has at most MAX_SIZE slots")]
        let size = slots.len() as u32;
        loop {
            let slot = self.position;
            self.position =
                if slot >= size - self.skip { slot - (size - self.skip) } else { slot + self.skip };
            if slots[slot as usize] == 0 {
                slots[slot as usize] = self.number;
                self.turns_taken += 1;
                return;
            }
        }
    }
}

/// Makes the start of a walk independent of its skip and of other uses of a key.
const OFFSET: u64 = 0x6f66_6673_6574_0001;
/// Makes the skip of a walk independent of its start.
const SKIP: u64 = 0x736b_6970_0000_0002;

/// The identity of a backend: what makes it prefer the same slots on every node, in every version, whatever else is
/// configured.
///
/// The address as 128 bits in network order (IPv4 as IPv4-mapped IPv6, RFC 4291 section 2.5.5.2) is taken as two
/// 64-bit words, then the port (0 for `None`) as a third: `h = mix(h ^ word)` for each, from `h = 0`. `mix` is one
/// step of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). As
/// `mix` is a bijection, IPv4 addresses of one port never collide.
#[must_use]
pub fn identity(address: IpAddr, port: Option<u16>) -> u64 {
    let bits = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
    .to_bits();
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the address")]
    let (high, low) = ((bits >> 64) as u64, bits as u64);
    [high, low, u64::from(port.unwrap_or(0))].into_iter().fold(0, |hash, word| mix(hash ^ word))
}

/// One step of SplitMix64 from the state `x`.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A hash brought below `bound`.
fn reduce(hash: u64, bound: u32) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below a u32")]
    let reduced = (hash % u64::from(bound)) as u32;
    reduced
}
