//! Programs that Lightpath is measured beside.

use std::env;
use std::path::Path;

/// Whether a program is there; if not, it joins those that are missing.
pub(super) fn installed(program: &str, missing: &mut Vec<String>) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let there = env::split_paths(&path).any(|directory| directory.join(program).is_file())
        || ["/usr/sbin", "/sbin"].iter().any(|directory| Path::new(directory).join(program).is_file());
    if !there && !missing.iter().any(|name| name == program) {
        missing.push(program.to_owned());
    }
    there
}
