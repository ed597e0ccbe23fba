//! The incremental checksum (RFC 1624) against the one that starts over.

use lightpath_core::{Delta, checksum};
use lightpath_testkit::internet_checksum;
use proptest::prelude::*;

/// Words, with those at the edges of ones' complement more often than chance has them.
fn word() -> impl Strategy<Value = u16> {
    prop_oneof![3 => any::<u16>(), 1 => Just(0), 1 => Just(0xffff), 1 => Just(1), 1 => Just(0xfffe)]
}

/// Data that a checksum covers: whole words, at least four, not all of them 0, as no header is.
fn data() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(word(), 4..64)
        .prop_filter("some word is not 0", |words| words.iter().any(|word| *word != 0))
}

fn recomputed(words: &[u16]) -> u16 {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    internet_checksum(&[&bytes])
}

proptest! {
    #[test]
    fn the_whole_checksum_is_the_slow_one(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(checksum(0, &bytes), internet_checksum(&[&bytes]));
    }

    #[test]
    fn replacing_words_is_recomputing(mut words in data(), at in any::<prop::sample::Index>(), new in word()) {
        let before = recomputed(&words);
        let at = at.index(words.len());
        let delta = Delta::new().replace16(words[at], new);
        words[at] = new;
        prop_assume!(words.iter().any(|word| *word != 0));
        prop_assert_eq!(delta.apply(before), recomputed(&words));
    }

    #[test]
    fn replacing_wide_fields_is_replacing_their_words(
        mut words in data(), new in prop::array::uniform4(word()), at in any::<prop::sample::Index>(),
    ) {
        let before = recomputed(&words);
        let at = at.index(words.len() - 3);
        let wide = |words: &[u16]| words.iter().fold(0, |wide, word| wide << 16 | u64::from(*word));
        let narrow = |words: &[u16]| u32::from(words[0]) << 16 | u32::from(words[1]);
        let old: Vec<u16> = words[at..at + 4].to_vec();
        let as_one = Delta::new().replace64(wide(&old), wide(&new));
        let as_two = Delta::new()
            .replace32(narrow(&old), narrow(&new))
            .replace32(narrow(&old[2..]), narrow(&new[2..]));
        words[at..at + 4].copy_from_slice(&new);
        prop_assume!(words.iter().any(|word| *word != 0));
        prop_assert_eq!(as_one.apply(before), recomputed(&words));
        prop_assert_eq!(as_two.apply(before), recomputed(&words));
    }

    /// What goes out and comes in again leaves the checksum as it was, and an incorrect one as wrong as it was.
    #[test]
    fn undoing_restores_the_checksum(before in 0_u16..0xffff, old in any::<u64>(), new in any::<u64>()) {
        let there = Delta::new().replace64(old, new).apply(before);
        prop_assert_eq!(Delta::new().replace64(new, old).apply(there), before);
    }

    /// Katran's issue 16: a carry that was folded once too few.
    #[test]
    fn no_carry_is_lost_however_many_fields_change(before in 0_u16..0xffff, fields in 1..400_usize) {
        let all_ones = (0..fields).fold(Delta::new(), |delta, _| delta.replace64(0, u64::MAX));
        prop_assert_eq!(all_ones.apply(before), before);
    }
}

/// Fields whose words add up to 0 in ones' complement, as addresses 0.0.255.255 and 255.255.0.0 do: the sum is 0 in either
/// of its two forms, and the form that a recomputation gives has to come out.
#[test]
fn sums_of_zero_take_the_form_of_a_recomputation() {
    for old in [0x0000_ffff_u32, 0xffff_0000, 0xffff_ffff, 0x1234_edcb, 0] {
        for new in [0x0000_ffff_u32, 0xffff_0000, 0xffff_ffff, 0x1234_edcb, 0] {
            for rest in [1_u16, 0x8000, 0xfffe, 0xffff] {
                let words = |field: u32| [(field >> 16) as u16, (field & 0xffff) as u16, rest];
                let updated = Delta::new().replace32(old, new).apply(recomputed(&words(old)));
                assert_eq!(updated, recomputed(&words(new)), "{old:#x} to {new:#x} beside {rest:#x}");
            }
        }
    }
}
