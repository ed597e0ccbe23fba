//! Any text: see [`lightpath_testkit::properties::configuration`].

#![no_main]

use libfuzzer_sys::fuzz_target;
use lightpath_testkit::properties::configuration;

fuzz_target!(|text: &str| {
    let _ = configuration(text);
});
