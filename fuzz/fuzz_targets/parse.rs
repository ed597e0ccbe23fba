//! Any frame: see [`lightpath_testkit::properties::parse`].

#![no_main]

use libfuzzer_sys::fuzz_target;
use lightpath_testkit::properties::parse;

fuzz_target!(|input: &[u8]| {
    let _ = parse(input);
});
