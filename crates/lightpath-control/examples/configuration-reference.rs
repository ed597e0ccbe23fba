//! Writes the configuration reference where the documentation keeps it.

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    fs::write(page, lightpath_control::config::markdown())
}
