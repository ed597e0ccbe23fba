//! `docs/conformance.md` names tests that exist, and forgets no class of mistake.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use lightpath_testkit::cases::cases;
use lightpath_testkit::node::Node;

/// What went wrong in other load balancers and concerns the packet path, as the first column calls it. Each needs a row that
/// names where it went wrong.
const MISTAKES: [&str; 23] = [
    "ICMP inside ICMP",
    "IP options, IHL",
    "LRU",
    "PMTUD",
    "RSS change",
    "UDP zero checksum",
    "attach",
    "checksum delta",
    "checksum fold",
    "connection reuse",
    "decapsulation",
    "empty service",
    "flow key",
    "fragments in ICMP errors",
    "generated \"too big\"",
    "loops",
    "map values",
    "neighbours",
    "port pool",
    "stale entry",
    "stickiness",
    "table order",
    "verifier",
];

/// A line of the table.
struct Row {
    about: String,
    behaviour: String,
    source: String,
    /// Names in the last column: files, functions and cases.
    shown_by: Vec<String>,
}

fn rows() -> Vec<Row> {
    let page = read("docs/conformance.md");
    let lines = page.lines().filter(|line| line.starts_with('|')).skip(2);
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [about, behaviour, source, shown_by] = cells[..] else {
            panic!("a row has four columns: {line}");
        };
        Row {
            about: about.into(),
            behaviour: behaviour.into(),
            source: source.into(),
            shown_by: shown_by.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
        }
    };
    lines.map(row).collect()
}

/// A file of the repository.
fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The functions of a file that are tests: below `#[test]`, with other attributes and comments between.
fn tests(text: &str) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    let mut of_test = false;
    for line in text.lines().map(str::trim_start) {
        if line == "#[test]" {
            of_test = true;
        } else if let Some(function) = line.strip_prefix("fn ") {
            if of_test {
                tests.extend(function.split('(').next().map(str::to_owned));
            }
            of_test = false;
        }
    }
    tests
}

#[test]
fn every_behaviour_is_shown_by_tests_that_exist() {
    let cases: BTreeSet<String> = cases(&Node::default()).into_iter().map(|case| case.what).collect();
    let mut missing = Vec::new();
    for Row { behaviour, shown_by, .. } in rows() {
        let (mut file, mut in_file, mut shown) = ("", BTreeSet::new(), 0);
        for name in &shown_by {
            if name.contains('/') {
                (file, in_file) = (name, tests(&read(&format!("crates/{name}"))));
                continue;
            }
            shown += 1;
            match name.strip_prefix("case: ") {
                Some(case) if !cases.contains(case) => {
                    missing.push(format!("{behaviour}: the table of packets has no row {case:?}"));
                }
                None if !in_file.contains(name) => {
                    missing.push(format!("{behaviour}: {file:?} has no test {name}"));
                }
                _ => {}
            }
        }
        if shown == 0 {
            missing.push(format!("{behaviour}: nothing shows it"));
        }
    }
    assert!(missing.is_empty(), "docs/conformance.md:\n{}", missing.join("\n"));
}

#[test]
fn no_mistake_that_others_made_is_without_a_row() {
    let rows = rows();
    for mistake in MISTAKES {
        let with_source = rows.iter().filter(|row| row.about == mistake && !row.source.is_empty());
        assert!(with_source.count() > 0, "docs/conformance.md has no row with a source about {mistake:?}");
    }
}

#[test]
fn no_behaviour_is_listed_twice() {
    let rows = rows();
    let behaviours: BTreeSet<&str> = rows.iter().map(|row| row.behaviour.as_str()).collect();
    assert_eq!(behaviours.len(), rows.len());
}
