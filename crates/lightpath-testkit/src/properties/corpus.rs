//! Inputs that are worth trying: those that fuzzing found, which are checked in, and those to begin with, which are generated.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lightpath_control::config::{EXAMPLE, markdown};

use super::{SCENES, script};
use crate::cases::cases;
use crate::node::Node;

/// A property, as the fuzz target of its name tries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// [`parse`](super::parse).
    Parse,
    /// [`forward`](super::forward).
    Forward,
    /// [`configuration`](super::configuration).
    Configuration,
}

impl Target {
    /// Every property.
    pub const ALL: [Self; 3] = [Self::Parse, Self::Forward, Self::Configuration];

    /// The name of the fuzz target.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Forward => "forward",
            Self::Configuration => "configuration",
        }
    }
}

/// The inputs of `fuzz/corpus/NAME`, each with its path.
#[must_use]
pub fn corpus(target: Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target.name());
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a folder that can be read").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(&path).expect("a file that can be read"))).collect()
}

/// Inputs to begin with: the table of packets, in every scene; the example of a configuration, and what it is without one of its
/// lines, with one twice, and with the value that a key has elsewhere in it.
#[must_use]
pub fn seeds(target: Target) -> Vec<Vec<u8>> {
    let cases = cases(&Node::default()).into_iter();
    match target {
        Target::Parse => cases.flat_map(|case| [case.before, vec![case.packet]].concat()).collect(),
        Target::Forward => cases
            .flat_map(|case| {
                let packets = [case.before, vec![case.packet]].concat();
                (0..).take(SCENES).map(move |scene| script(scene, &packets))
            })
            .collect(),
        Target::Configuration => configurations(),
    }
}

fn configurations() -> Vec<Vec<u8>> {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    let with = |at: usize, instead: &[&str]| [&lines[..at], instead, &lines[at + 1..]].concat().join("\n");
    let key = |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned());
    let mut texts = vec![EXAMPLE.to_owned()];
    for (at, line) in lines.iter().enumerate() {
        texts.push(with(at, &[]));
        texts.push(with(at, &[line, line]));
        let others =
            lines.iter().filter(|other| *other != line && key(line).is_some() && key(other) == key(line));
        texts.extend(others.map(|other| with(at, &[other])));
    }
    texts.into_iter().map(String::into_bytes).collect()
}

/// Words of a configuration, as a dictionary in libFuzzer's form: whatever the reference gives as code.
#[must_use]
pub fn dictionary() -> String {
    let reference = markdown();
    let rows = reference.lines().filter(|line| line.starts_with('|'));
    let words: BTreeSet<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    let lines: Vec<String> = words.iter().map(|word| format!("\"{}\"\n", word.escape_default())).collect();
    lines.concat()
}
