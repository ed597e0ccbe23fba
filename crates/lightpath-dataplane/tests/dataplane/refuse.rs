//! What is not understood is not touched.

use std::fs;
use std::path::Path;

use aya::maps::{Array, MapData};
use lightpath_abi::SCHEMA;
use lightpath_dataplane::{Dataplane, Error, Pins, XdpMode};
use lightpath_lab::isolate;
use lightpath_testkit::Contents;
use lightpath_testkit::cases::contents;

use crate::lab::{in_lab, spec};

#[test]
fn maps_of_another_schema_are_refused_and_keep_running() {
    in_lab(|lab| {
        let contents = contents(&lab.node);
        let mut dataplane = lab.open(&contents);
        dataplane.attach(&["front".into()], XdpMode::Native).unwrap();
        // As another version would describe its maps, be it in as many words or in more or less.
        let path = lab.pins.directory().join("maps/META");
        for (schema, words) in [(SCHEMA + 1, 7), (SCHEMA + 1, 10), (SCHEMA + 1, 12), (1, 9), (0, 1)] {
            let mut meta = vec![0; words];
            meta[0] = schema.into();
            describe(&meta, &path);
            refused(&lab.pins, &contents, schema);
        }
        assert_eq!(lab.pins.linked_interfaces().unwrap(), ["front"]);
    });
}

/// Pins words in the place of those that describe the maps.
pub(crate) fn describe(words: &[u64], path: &Path) {
    fs::remove_file(path).unwrap();
    let entries = u32::try_from(words.len()).unwrap();
    let mut map = Array::<MapData, u64>::create(entries, 0).unwrap();
    for (index, word) in (0..).zip(words) {
        map.set(index, word, 0).unwrap();
    }
    map.pin(path).unwrap();
}

fn refused(pins: &Pins, contents: &Contents, schema: u32) {
    let error = Dataplane::open(pins, &spec(contents)).unwrap_err();
    let Error::Schema { path, found, expected } = &error else { panic!("{error}") };
    assert!(path.starts_with(pins.directory()));
    assert_eq!((*found, *expected), (schema.into(), SCHEMA));
    let told = error.to_string();
    let versions = format!("holds maps of schema {schema}, this program has schema {SCHEMA}");
    assert!(told.contains(&versions) && told.contains("lightpath detach"), "{told}");
}

#[test]
fn pins_belong_on_a_bpf_file_system() {
    in_lab(|lab| {
        let scratch = isolate().unwrap();
        let pins = Pins::new(&scratch.join("not/made"), "test");
        let error = Dataplane::open(&pins, &spec(&contents(&lab.node))).unwrap_err();
        let Error::NoBpffs { path } = &error else { panic!("{error}") };
        assert_eq!(path, pins.directory());
        assert!(error.to_string().ends_with("run: mount -t bpf bpf /sys/fs/bpf"), "{error}");
        assert!(!scratch.join("not").exists());
    });
}
