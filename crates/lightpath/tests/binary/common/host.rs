//! What Lightpath may change on a host, to compare before and after.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use lightpath_lab::Namespace;

use super::{PATIENCE, ip};

/// Addresses, links with their XDP programs, sysctls and pins: a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostState(BTreeSet<String>);

impl HostState {
    /// As it is now.
    pub(crate) fn of(host: &Namespace) -> Self {
        let mut lines = BTreeSet::new();
        for listed in [ip(host, "-o addr"), ip(host, "-o link")] {
            // The kernel's own link-local addresses lose the word with time (RFC 4862, section 5.4).
            lines.extend(listed.lines().map(|line| line.replace(" tentative", "")));
        }
        let sysctls = || {
            for path in ["/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv6/conf"] {
                walk(Path::new(path), &mut |path| {
                    // Some cannot be read, such as a secret that is not set.
                    if let Ok(value) = fs::read_to_string(path) {
                        lines.insert(format!("{} = {}", path.display(), value.trim_end()));
                    }
                });
            }
        };
        host.run(sysctls).unwrap();
        walk(Path::new("/sys/fs/bpf/lightpath"), &mut |pin| {
            lines.insert(pin.display().to_string());
        });
        Self(lines)
    }

    /// Whether something of the host looks exactly like this.
    pub(crate) fn has(&self, line: &str) -> bool {
        self.0.contains(line)
    }

    /// Fails unless the host looks like this, and says what is different.
    pub(crate) fn is_still(&self, host: &Namespace) {
        let now = Self::of(host);
        assert!(now == *self, "the host has changed: {}", self.difference(&now));
    }

    /// Fails unless the host comes to look like this again: the kernel takes a program off in the background once the last
    /// reference to its link is gone.
    pub(crate) fn is_back(&self, host: &Namespace) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Self::of(host);
            if now == *self {
                return;
            }
            assert!(Instant::now() < deadline, "not as it was: {}", self.difference(&now));
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn difference(&self, now: &Self) -> String {
        let gone = self.0.difference(&now.0).map(|line| format!("\n- {line}"));
        let new = now.0.difference(&self.0).map(|line| format!("\n+ {line}"));
        gone.chain(new).collect()
    }
}

/// Calls `visit` for every file below a directory.
fn walk(directory: &Path, visit: &mut impl FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, visit) } else { visit(&path) }
    }
}
