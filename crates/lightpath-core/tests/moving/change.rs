//! What a slot becomes, against the rules written down anew, for every slot, target and set of serving backends there is.

use lightpath_abi::{BackendNumber, Slot};
use lightpath_core::change;

/// The rules of the model, as it states them.
fn model((c, p): (u16, u16), n: u16, serves: impl Fn(u16) -> bool) -> (u16, u16) {
    let mut p = p;
    if p != 0 && !serves(p) {
        if serves(c) && c != n {
            p = c;
        } else if n != 0 {
            p = n;
        }
        // Without any backend the slot keeps a previous one that is gone: it still moves, so remembered flows are found.
    }
    if n == c {
        return (c, p);
    }
    if p == 0 && serves(c) {
        p = c;
    }
    (n, p)
}

const BACKENDS: u16 = 4;

/// Every slot, target and serving set; 0 never serves.
fn every_case() -> impl Iterator<Item = (Slot, BackendNumber, impl Fn(BackendNumber) -> bool + Copy)> {
    let numbers = || 0..=BACKENDS;
    let slots = numbers().flat_map(move |current| numbers().map(move |previous| Slot { current, previous }));
    slots.flat_map(move |slot| {
        numbers().flat_map(move |to| {
            (0..1_u32 << BACKENDS).map(move |serving| {
                (slot, to, move |number: BackendNumber| number > 0 && serving >> (number - 1) & 1 == 1)
            })
        })
    })
}

#[test]
fn a_slot_becomes_what_the_rules_say() {
    let mut cases = 0;
    for (slot, to, serves) in every_case() {
        let serving: Vec<u16> = (1..=BACKENDS).filter(|number| serves(*number)).collect();
        let (current, previous) = model((slot.current, slot.previous), to, serves);
        assert_eq!(
            change(slot, to, serves),
            Slot { current, previous },
            "{slot:?} to {to} while {serving:?} serve"
        );
        cases += 1;
    }
    assert_eq!(cases, 25 * 5 * 16);
}

#[test]
fn a_changed_slot_names_what_it_was_told() {
    for (slot, to, serves) in every_case() {
        assert_eq!(change(slot, to, serves).current, to);
    }
}

/// Only the daemon settles, when it knows that nobody is remembered elsewhere.
#[test]
fn no_change_settles_a_moving_slot() {
    for (slot, to, serves) in every_case().filter(|(slot, ..)| slot.previous != 0) {
        assert_ne!(change(slot, to, serves).previous, 0, "{slot:?} to {to}");
    }
}

#[test]
fn flows_from_before_a_move_stay_where_they_are_while_that_serves() {
    for (slot, to, serves) in every_case() {
        let oldest = if slot.previous == 0 { slot.current } else { slot.previous };
        if serves(oldest) && (slot.previous != 0 || to != slot.current) {
            assert_eq!(change(slot, to, serves).previous, oldest, "{slot:?} to {to}");
        }
    }
}

#[test]
fn what_was_asked_for_once_is_not_changed_by_asking_again() {
    for (slot, to, serves) in every_case() {
        let once = change(slot, to, serves);
        assert_eq!(change(once, to, serves), once, "{slot:?} to {to}");
    }
}

/// A flow that is not remembered is sent to a backend that serves, if the slot knows one.
#[test]
fn no_slot_prefers_a_backend_that_is_gone() {
    for (slot, to, serves) in every_case().filter(|(_, to, serves)| serves(*to)) {
        let Slot { current, previous } = change(slot, to, serves);
        assert!(serves(current) && (previous == 0 || serves(previous)), "{slot:?} to {to}");
    }
}
