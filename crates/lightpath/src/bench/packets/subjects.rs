//! The programs that rows measure, each loaded when the first row asks for it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lightpath_dataplane::bench::{BuiltIn, Subject};

use super::bed::Bed;
use super::rows::Measured;

/// Somebody else's program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Against {
    /// In an ELF object, over new maps.
    Object { file: PathBuf, program: String },
    /// Pinned, by whoever has configured it.
    Pin(PathBuf),
}

impl Against {
    /// From `FILE:PROGRAM`, or the path of a pin.
    pub(in crate::bench) fn parse(text: &str) -> Self {
        match text.rsplit_once(':') {
            Some((file, program)) => Self::Object { file: file.into(), program: program.to_owned() },
            None => Self::Pin(text.into()),
        }
    }

    /// What its rows are called.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Object { program, .. } => program.clone(),
            Self::Pin(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        }
    }

    fn load(&self) -> Result<Subject> {
        match self {
            Self::Object { file, program } => {
                let load = || format!("cannot measure {program} of {}", file.display());
                Subject::in_object(file, program).with_context(load)
            }
            Self::Pin(path) => pinned(path),
        }
    }
}

fn pinned(path: &Path) -> Result<Subject> {
    Subject::pinned(path)
        .with_context(|| format!("{} is no FILE:PROGRAM, and no XDP program is pinned there", path.display()))
}

/// All of them, held for as long as they are measured.
#[derive(Debug)]
pub(super) struct Subjects {
    pub(super) bed: Bed,
    built_in: Vec<(BuiltIn, Subject)>,
    users: Vec<Subject>,
}

impl Subjects {
    /// Loads the user's; a pin is seen only from where it was made, so that comes before the bed is built.
    pub(super) fn open(against: &[Against]) -> Result<Self> {
        let users = against.iter().map(Against::load).collect::<Result<_>>()?;
        Ok(Self { users, bed: Bed::build()?, built_in: Vec::new() })
    }

    /// The program of a row.
    pub(super) fn get(&mut self, wanted: Measured) -> Result<&Subject> {
        match wanted {
            Measured::Balancer(configuration) => self.bed.balancer(configuration),
            Measured::BuiltIn(program) => self.built_in(program),
            Measured::Users(place) => self.users.get(place).context("no such program"),
        }
    }

    fn built_in(&mut self, wanted: BuiltIn) -> Result<&Subject> {
        let loaded = self.built_in.iter().position(|(program, _)| *program == wanted);
        let place = if let Some(place) = loaded {
            place
        } else {
            self.built_in.push((wanted, Subject::built_in(wanted)?));
            self.built_in.len() - 1
        };
        self.built_in.get(place).map(|(_, subject)| subject).context("no such program")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_named_by_its_file_and_name_or_by_its_pin() {
        for (text, expected, name) in [
            (
                "/tmp/katran.o:balancer_ingress",
                Against::Object { file: "/tmp/katran.o".into(), program: "balancer_ingress".to_owned() },
                "balancer_ingress",
            ),
            ("/sys/fs/bpf/katran", Against::Pin("/sys/fs/bpf/katran".into()), "katran"),
        ] {
            let against = Against::parse(text);
            assert_eq!(against, expected);
            assert_eq!(against.name(), name);
        }
    }
}
