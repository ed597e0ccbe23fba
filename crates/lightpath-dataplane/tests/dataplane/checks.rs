//! The way of health checks: it loads, finds its places and lets them go again. What it carries is tried in the daemon's scenes.

use std::collections::BTreeMap;

use lightpath_abi::{CheckedBackend, FIRST_CHECK_MARK};
use lightpath_dataplane::{CheckWay, Error};

use crate::lab::in_lab;

fn open(device: &str) -> Result<CheckWay, Error> {
    let mut way = CheckWay::load()?;
    way.leave_by(device)?;
    Ok(way)
}

#[test]
fn checks_find_their_way_on_interfaces_that_come_and_go() {
    in_lab(|_| {
        let mut way = open("side").unwrap();
        way.listen_on(["front", "back", "nowhere"].into_iter()).unwrap();
        let backend =
            |mark: u32| (FIRST_CHECK_MARK | mark, CheckedBackend { forward: 2, ..CheckedBackend::default() });
        way.set((1..100).map(backend).collect()).unwrap();
        way.set((50..150).map(backend).collect()).unwrap();
        way.listen_on(["far"].into_iter()).unwrap();
        way.set(BTreeMap::new()).unwrap();
        drop(way);
        // As after a crash of a process, and beside another instance's.
        let ways = [0; 2].map(|_| open("side").unwrap());
        for mut way in ways {
            way.listen_on(["front", "far"].into_iter()).unwrap();
        }
        assert!(matches!(open("nowhere"), Err(Error::NoInterface { name }) if name == "nowhere"));
    });
}
