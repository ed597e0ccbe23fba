//! The guides in `docs/guides/`: every command in them is run here, and prints what they show.

mod page;
mod run;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use run::run;

const GUIDES: [&str; 10] = [
    "first-balancer",
    "nat-gateway",
    "dsr",
    "tunnels",
    "fullnat",
    "quic",
    "maintenance",
    "upgrade",
    "drops",
    "sizing",
];

#[test]
fn every_guide_has_a_test() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides");
    let names =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let there: BTreeSet<String> = names.filter(|name| name != "README.md").collect();
    assert_eq!(there, GUIDES.map(|name| format!("{name}.md")).into());
}

#[test]
fn first_balancer() {
    run("first-balancer");
}

#[test]
fn nat_gateway() {
    run("nat-gateway");
}

#[test]
fn dsr() {
    run("dsr");
}

#[test]
fn tunnels() {
    run("tunnels");
}

#[test]
fn fullnat() {
    run("fullnat");
}

#[test]
fn quic() {
    run("quic");
}

#[test]
fn maintenance() {
    run("maintenance");
}

#[test]
fn upgrade() {
    run("upgrade");
}

#[test]
fn drops() {
    run("drops");
}

#[test]
fn sizing() {
    run("sizing");
}
