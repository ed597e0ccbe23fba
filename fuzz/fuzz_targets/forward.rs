//! Any packet, in any scene: see [`lightpath_testkit::properties::forward`].

#![no_main]

use libfuzzer_sys::fuzz_target;
use lightpath_testkit::properties::forward;

fuzz_target!(|input: &[u8]| {
    let _ = forward(input);
});
