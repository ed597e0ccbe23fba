//! The properties of what arrives, for the inputs that fuzzing found and for those that it began with.

use std::collections::{BTreeMap, BTreeSet};

use lightpath_core::Reason;
use lightpath_testkit::properties::{
    Fate, SCENES, Target, configuration, corpus, dictionary, forward, parse, script, seeds,
};
use lightpath_testkit::random::Packets;

/// What fuzzing found, and what it began with.
fn inputs(target: Target) -> Vec<Vec<u8>> {
    let found = corpus(target);
    assert!(found.len() > 50, "the corpus of {target:?} has {} inputs", found.len());
    found.into_iter().map(|(_, input)| input).chain(seeds(target)).collect()
}

#[test]
fn the_corpus_of_parse_holds() {
    let outcomes: BTreeSet<String> = inputs(Target::Parse)
        .iter()
        .map(|input| format!("{:?}", parse(input).map(|frame| (frame.v4, frame.protocol, frame.part))))
        .collect();
    // TCP, UDP and ICMP over both families, whole and in parts; foreign, and the four ways to be malformed.
    assert_eq!(outcomes.len(), 3 * 2 * 3 + 1 + 4, "{outcomes:?}");
}

#[test]
fn the_corpus_of_forward_holds() {
    let outcomes: Vec<Fate> = inputs(Target::Forward).iter().flat_map(|input| forward(input)).collect();
    // All reasons but the one that takes a packet that cannot be written to.
    let reasons = Reason::ALL.into_iter().filter(|reason| *reason != Reason::Rewrite).map(Fate::Dropped);
    for fate in reasons.chain([Fate::Passed, Fate::Forwarded, Fate::Answered(Some(Reason::NoBackend))]) {
        assert!(outcomes.contains(&fate), "no packet is {fate:?}");
    }
}

/// A few at a time, so that one of sessions meets others of its flow.
#[test]
fn generated_packets_hold_in_every_scene() {
    let mut fates = BTreeMap::new();
    for (scene, seed) in (0..).take(SCENES).zip(7..) {
        let packets: Vec<Vec<u8>> = Packets::new(seed).take(4_000).collect();
        for packets in packets.chunks(100) {
            for fate in forward(&script(scene, packets)) {
                *fates.entry((scene, format!("{fate:?}"))).or_insert(0) += 1;
            }
        }
    }
    for scene in (0..).take(SCENES) {
        assert!(fates[&(scene, "Forwarded".to_owned())] > 10, "{fates:?}");
    }
}

#[test]
fn the_corpus_of_configuration_holds() {
    let inputs = inputs(Target::Configuration);
    let texts = inputs.iter().filter_map(|input| str::from_utf8(input).ok());
    let right = texts.filter(|text| configuration(text).is_ok()).count();
    assert!(0 < right && right < inputs.len(), "{right} of {}", inputs.len());
}

#[test]
fn the_dictionary_has_the_words_of_a_configuration() {
    let dictionary = dictionary();
    for word in ["interfaces", "vip", "dsr"] {
        assert!(dictionary.lines().any(|line| line.contains(word)), "{dictionary}");
    }
}
