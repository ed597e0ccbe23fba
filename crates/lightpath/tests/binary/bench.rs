//! `lightpath bench`, as it is typed. What it measures is looked at, not how much: the machine is busy with other tests.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::common::{LIGHTPATH, finish, isolated};

/// A few rows take seconds, most of them for loading programs.
const LONG: Duration = Duration::from_mins(3);

fn bench(arguments: &[&str]) -> Output {
    finish(Command::new(LIGHTPATH).arg("bench").args(arguments), LONG)
}

fn json(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn is_positive(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number > 0.0)
}

#[test]
fn every_way_of_forwarding_is_measured_beside_the_floor() {
    isolated();
    let report = json(&bench(&["--quick", "--json", "--rows", "TCP4*", "--rows", "UDP4*"]));
    assert_eq!(report["packets"]["rounds"], 5);
    assert!(is_positive(&report["packets"]["floor_ns"]), "{report}");
    let rows = report["packets"]["rows"].as_array().unwrap();
    for expected in [
        "TCP4 established, nat",
        "TCP4 established, dsr",
        "TCP4 established, ipip",
        "TCP4 established, gue",
        "TCP4 established, fullnat",
        "UDP4, fullnat, new sessions",
        "TCP4 established, nat, moving slot",
        "TCP4 SYN, nat, new flows",
        "TCP4 reply, nat",
        "TCP4 established, nat, 1,000 services",
        "TCP4 for nobody",
    ] {
        let row = rows.iter().find(|row| row["name"] == expected);
        let row = row.unwrap_or_else(|| panic!("no row {expected}"));
        assert!(["ns", "median_ns", "times_floor"].iter().all(|key| is_positive(&row[key])), "{row}");
    }
    assert!(is_positive(&report["packets"]["program"]["verified_instructions"]), "{report}");
    assert!(is_positive(&report["machine"]["cpus"]), "{report}");
}

#[test]
fn results_are_written_as_pages_with_plots_and_can_be_written_again() {
    let scratch = isolated();
    let (page, markdown) = (scratch.join("report.html"), scratch.join("docs/benchmarks.md"));
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let kept = scratch.join("kept/report.json");
    let measured = bench(&[
        "--quick",
        "--json",
        "--keep",
        &path(&kept),
        "--rows",
        "TCP4 established, nat",
        "--html",
        &path(&page),
        "--write",
        &path(&markdown),
    ]);
    let report = json(&measured);
    let (html, text) = (fs::read_to_string(&page).unwrap(), fs::read_to_string(&markdown).unwrap());
    for written in [&html, &text] {
        for expected in [
            "TCP4 established, nat",
            "No physical network card",
            report["machine"]["kernel"].as_str().unwrap(),
        ] {
            assert!(written.contains(expected), "{expected} is not in {written}");
        }
    }
    assert!(html.contains("<svg") && text.contains("(benchmarks-flows.svg)"), "{text}");
    assert!(fs::read_to_string(scratch.join("docs/benchmarks-flows.svg")).unwrap().starts_with("<svg"));

    let from_file: Value = serde_json::from_str(&fs::read_to_string(&kept).unwrap()).unwrap();
    assert_eq!(from_file, report);
    let again = scratch.join("docs/again.md");
    let output = bench(&["--from", &path(&kept), "--write", &path(&again)]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read_to_string(&again).unwrap(), text.replace("benchmarks-", "again-"));
}

#[test]
fn a_build_is_compared_with_another_round_by_round() {
    isolated();
    let rows = ["--rounds", "5", "--rows", "TCP4 for nobody", "--base", LIGHTPATH];
    let arguments = [&rows[..], &["--limit", "50", "--json"]].concat();
    let compared = json(&bench(&arguments));
    let names: Vec<&str> =
        compared["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["floor: swap MAC addresses, XDP_TX", "TCP4 for nobody"]);
    assert!(
        compared["rows"].as_array().unwrap().iter().all(|row| is_positive(&row["times_base"])),
        "{compared}"
    );

    let arguments = [&rows[..], &["--limit", "0.01"]].concat();
    let slower = bench(&arguments);
    assert_eq!(slower.status.code(), Some(1), "{slower:?}");
    assert!(String::from_utf8_lossy(&slower.stdout).contains("SLOWER"), "{slower:?}");
}

#[test]
fn what_cannot_be_measured_is_named() {
    isolated();
    for (arguments, expected) in [
        (&["--rows", "no such"][..], "no row has such a name"),
        (&["--against", "/nowhere.o:program"], "cannot measure program of /nowhere.o"),
        (&["--against", "/sys/fs/bpf/nothing"], "no XDP program is pinned there"),
        (&["path", "--rounds", "50"], "--rounds, --rows and --against are about packets"),
        (&["--base", "/nowhere"], "cannot run /nowhere"),
        (&["--from", "/nowhere.json"], "cannot read /nowhere.json"),
    ] {
        let output = bench(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn another_object_is_measured_beside_it() {
    let scratch = isolated();
    let object = scratch.join("packet-path.o");
    let written = finish(Command::new(LIGHTPATH).arg("bpf-object"), LONG);
    fs::write(&object, written.stdout).unwrap();
    let program = format!("{}:lightpath_pass", object.display());
    let report = json(&bench(&["--quick", "--json", "--rows", "lightpath_pass*", "--against", &program]));
    let rows = report["packets"]["rows"].as_array().unwrap();
    assert!(rows.len() >= 8 && rows.iter().all(|row| is_positive(&row["ns"])), "{report}");

    let unknown = bench(&["--against", &format!("{}:nothing", object.display())]);
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert!(
        said.contains("has no program \"nothing\"; it has: ") && said.contains("lightpath_pass"),
        "{said}"
    );
}

#[test]
fn a_link_is_measured_with_lightpath_and_with_the_kernel_alone() {
    isolated();
    let report = json(&bench(&["path", "--quick", "--json"]));
    let rates = report["path"]["rates"].as_array().unwrap();
    for expected in ["floor: XDP_TX", "Lightpath, nat", "Lightpath, gue", "seed", "kernel, plain routing"] {
        for flows in [1, 65_536] {
            let rate = rates.iter().find(|rate| rate["name"] == expected && rate["flows"] == flows);
            let rate = rate.unwrap_or_else(|| panic!("nothing of {expected}"));
            assert!(
                is_positive(&rate["packets_per_second"]) && is_positive(&rate["share_of_floor"]),
                "{rate}"
            );
            assert!(rate["returned"].as_f64().unwrap() > 0.5, "{rate}");
        }
    }
    let named = rates.iter().any(|rate| rate["name"] == "kernel, nftables DNAT");
    assert!(named || report["path"]["missing"].as_array().unwrap().contains(&"nft".into()), "{report}");
}

#[test]
fn clients_are_measured_through_lightpath_and_through_what_is_installed() {
    isolated();
    let report = json(&bench(&["clients", "--quick", "--json"]));
    let systems = report["clients"]["systems"].as_array().unwrap();
    let names: Vec<&str> = systems.iter().map(|system| system["name"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["direct: plain routing", "Lightpath, nat"]);
    for system in systems {
        for rate in ["requests_per_second", "connections_per_second"] {
            assert!(is_positive(&system[rate]), "{system}");
        }
        let [half, most] = ["p50_us", "p99_us"].map(|key| system["latency"][key].as_f64().unwrap());
        assert!(0.0 < half && half <= most, "{system}");
    }
    let lightpath = &systems[1];
    assert!(is_positive(&lightpath["udp"]["answers_per_second"]), "{lightpath}");
    for key in ["own_us", "resident_bytes", "map_bytes"] {
        assert!(is_positive(&lightpath[key]), "{key}: {lightpath}");
    }
    // What is not measured is named.
    let missing = report["clients"]["missing"].as_array().unwrap();
    assert_eq!(systems.len() + missing.len(), 5, "{report}");
}

#[test]
fn two_queues_are_measured_beside_one() {
    let report = json(&bench(&["queues", "--quick", "--json"]));
    let queues = &report["queues"];
    assert!(is_positive(&queues["one"]) && is_positive(&queues["both"]), "{report}");
    // Another test may have the CPUs meanwhile.
    let times = queues["times"].as_f64().unwrap();
    assert!(times > 0.5 && times < 3.0, "{report}");
}

#[test]
fn what_watching_costs_is_measured_beside_nobody() {
    isolated();
    let report = json(&bench(&["watching", "--quick", "--json"]));
    let watching = &report["watching"];
    assert!(is_positive(&watching["reading_ms"]), "{report}");
    let rows = watching["watchers"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    let expected = ["nobody", "nobody, once more", "metrics read each second", "1 packet in 1,000 captured"];
    assert_eq!(names, expected);
    for row in rows {
        for key in ["packets_per_second", "ns", "median_ns", "times_nobody"] {
            assert!(is_positive(&row[key]), "{key}: {row}");
        }
    }
    assert_eq!(rows[0]["times_nobody"], 1.0, "{report}");
}

#[test]
fn configurations_are_measured_by_their_size() {
    isolated();
    let report = json(&bench(&["control", "--quick", "--json"]));
    let sizes = report["control"]["sizes"].as_array().unwrap();
    assert_eq!(sizes.len(), 2);
    for size in sizes {
        for key in ["build_ms", "rebuild_ms", "start_ms", "reload_ms", "resident_bytes", "map_bytes"] {
            assert!(is_positive(&size[key]), "{key}: {size}");
        }
    }
    let maps = |place: usize| sizes[place]["map_bytes"].as_u64().unwrap();
    assert!(maps(0) < maps(1), "{report}");
}
