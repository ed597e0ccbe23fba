use std::collections::BTreeMap;

use super::*;

fn group(prefixes: &[&str]) -> Vec<IpNet> {
    prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect()
}

fn address(text: &str) -> Address {
    text.parse::<IpAddr>().unwrap().into()
}

#[test]
fn a_prefix_is_its_first_address_and_the_bits_that_it_leaves_open() {
    let rows = [
        ("10.64.0.0/16", "10.64.0.0", 0xffff),
        ("10.0.0.5/32", "10.0.0.5", 0),
        ("fd00:64::/64", "fd00:64::", u64::MAX),
        ("fd00:64::/120", "fd00:64::", 0xff),
        ("fd00:64::7/128", "fd00:64::7", 0),
        // What varies is in the last half of the address.
        ("fd00:64::/48", "fd00:64::", u64::MAX),
    ];
    for (prefix, first, spread) in rows {
        let expected = Source { address: address(first), spread, count: 1, reserved: 0 };
        assert_eq!(records(&group(&[prefix])), [expected], "{prefix}");
    }
}

#[test]
fn each_prefix_says_how_many_there_are_from_it_on() {
    let counts: Vec<u32> =
        records(&group(&["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"])).iter().map(|s| s.count).collect();
    assert_eq!(counts, [3, 2, 1]);
}

#[test]
fn backends_of_the_same_prefixes_share_their_places() {
    let mut sources = Sources::default();
    sources.begin();
    let both = group(&["10.64.0.0/16", "10.80.0.0/28"]);
    assert_eq!(
        (sources.place(&both), sources.place(&group(&["10.0.0.1/32"])), sources.place(&both)),
        (0, 2, 0)
    );
    assert_eq!(sources.table().len(), 3);
}

#[test]
fn a_group_stays_where_it_is_and_its_place_is_given_away_only_a_round_after_it_was_left() {
    let (old, new, third) = (group(&["10.0.0.1/32"]), group(&["10.0.0.2/32"]), group(&["10.0.0.3/32"]));
    let mut sources = Sources::default();
    let mut round = |groups: &[&Vec<IpNet>]| {
        sources.begin();
        let places: Vec<u16> = groups.iter().map(|group| sources.place(group)).collect();
        sources.end();
        places
    };
    assert_eq!(round(&[&old, &third]), [0, 1]);
    assert_eq!(round(&[&third]), [1], "the other one has not moved");
    assert_eq!(round(&[&new, &third]), [0, 1], "nobody goes by the first place any more");
    assert_eq!(round(&[&old, &third]), [2, 1], "packets may be going by the first place");
    assert_eq!(round(&[&old, &new]), [2, 0], "what is left in the array is found again");
}

#[test]
fn what_a_failed_round_has_placed_is_not_given_away() {
    let mut sources = Sources::default();
    sources.begin();
    assert_eq!(sources.place(&group(&["10.0.0.1/32"])), 0);
    sources.begin();
    assert_eq!(sources.place(&group(&["10.0.0.2/32"])), 1);
}

#[test]
fn running_tables_are_gone_on_from() {
    let table = records(&group(&["10.64.0.0/16", "10.80.0.0/28"]));
    let single = records(&group(&["10.0.0.1/32"]));
    let running = |source| Backend { service: 1, source, ..Backend::default() };
    let image = Image {
        sources: [table, single].concat(),
        backends: BTreeMap::from([(1, running(0)), (2, running(2))]),
        ..Image::default()
    };
    let mut sources = Sources::of_running(&image);
    sources.begin();
    assert_eq!(sources.place(&group(&["10.9.0.0/24"])), 3, "all places are in use");
    assert_eq!(sources.place(&group(&["10.64.0.0/16", "10.80.0.0/28"])), 0);

    let backend = "10.0.0.11".parse().unwrap();
    assert_eq!(sources.keep(Some(&running(2)), backend), 2);
    assert_eq!(sources.keep(Some(&running(0)), backend), NO_SOURCE, "these prefixes were configured once");
    assert_eq!(sources.keep(Some(&running(2)), "fd00::11".parse().unwrap()), NO_SOURCE);
    assert_eq!(sources.keep(None, backend), NO_SOURCE);
}

#[test]
fn every_address_of_a_group_is_named() {
    let mut sources = Sources::default();
    let place = sources.place(&group(&["10.0.0.4/31", "10.0.0.9/32"]));
    let named: Vec<String> = sources.addresses(place).map(|address| address.to_string()).collect();
    assert_eq!(named, ["10.0.0.4", "10.0.0.5", "10.0.0.9"]);
}
