//! Where an instance keeps what outlives its daemon, in the BPF file system.

use std::fs;
use std::path::{Path, PathBuf};

use nix::net::if_::if_nametoindex;
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::Error;

/// The pins of one instance: `program`, `stages`, `about`, `maps/NAME` and `links/INTERFACE` in a directory of its own. With
/// `_previous` behind their names, the first three are the program that ran before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    directory: PathBuf,
}

/// Which set of maps: the one in use, or the one that is about to replace it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    Current,
    Next,
}

impl Pins {
    /// The default place of all instances.
    pub const ROOT: &str = "/sys/fs/bpf/lightpath";

    /// The pins of `instance` below `root`. Nothing is made yet.
    #[must_use]
    pub fn new(root: &Path, instance: &str) -> Self {
        Self { directory: root.join(instance) }
    }

    /// The directory they are in.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The running program.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        self.directory.join("program")
    }

    pub(crate) fn previous_program(&self) -> PathBuf {
        self.directory.join("program_previous")
    }

    pub(crate) fn next_program(&self) -> PathBuf {
        self.directory.join("program_next")
    }

    /// The map by which a program goes on to its stages; without a pin the kernel would empty it.
    pub(crate) fn next_stages(&self) -> PathBuf {
        self.directory.join("stages_next")
    }

    /// The same map of a program that copies packets.
    pub(crate) fn capture_stages(&self) -> PathBuf {
        self.directory.join("stages_capture")
    }

    pub(crate) fn maps(&self, generation: Generation) -> PathBuf {
        match generation {
            Generation::Current => self.directory.join("maps"),
            Generation::Next => self.directory.join("maps_next"),
        }
    }

    pub(crate) fn links(&self) -> PathBuf {
        self.directory.join("links")
    }

    pub(crate) fn link(&self, interface: &str) -> PathBuf {
        // bpffs keeps dots for itself, and VLAN interfaces are named eth0.100.
        self.links().join(interface.replace('.', ":"))
    }

    /// The interfaces with a pinned link.
    pub fn linked_interfaces(&self) -> Result<Vec<String>, Error> {
        let directory = self.links();
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::path(&directory)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::path(&directory))?;
            names.push(entry.file_name().to_string_lossy().replace(':', "."));
        }
        names.sort();
        Ok(names)
    }

    /// What a start that was cut short has left beside what runs. While a daemon starts or changes something, it has these too.
    #[must_use]
    pub fn unfinished(&self) -> Vec<PathBuf> {
        let next = [
            self.next_program(),
            self.next_stages(),
            self.next_about(),
            self.maps(Generation::Next),
            self.capture_stages(),
        ];
        next.into_iter().filter(|path| path.exists()).collect()
    }

    /// The pins of links whose interface is gone.
    pub fn stray_links(&self) -> Result<Vec<PathBuf>, Error> {
        let links = self.linked_interfaces()?;
        let stray = links.iter().filter(|name| if_nametoindex(name.as_str()).is_err());
        Ok(stray.map(|name| self.link(name)).collect())
    }

    /// Removes one of [`unfinished`](Self::unfinished) or [`stray_links`](Self::stray_links).
    pub fn remove_leftover(path: &Path) -> Result<(), Error> {
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.map_err(Error::path(path))
    }

    /// Whether there is anything.
    #[must_use]
    pub fn exist(&self) -> bool {
        self.directory.is_dir()
    }

    /// Makes the directories.
    pub(crate) fn make(&self) -> Result<(), Error> {
        let mut existing = self.directory.as_path();
        while !existing.exists() {
            existing = existing.parent().unwrap_or(Path::new("/"));
        }
        if !statfs(existing).is_ok_and(|file_system| file_system.filesystem_type() == BPF_FS_MAGIC) {
            return Err(Error::NoBpffs { path: self.directory.clone() });
        }
        for directory in [self.maps(Generation::Current), self.links()] {
            fs::create_dir_all(&directory).map_err(Error::path(&directory))?;
        }
        Ok(())
    }

    /// Empties and makes the directory of the next maps.
    pub(crate) fn make_next_maps(&self) -> Result<(), Error> {
        let directory = self.maps(Generation::Next);
        remove_tree(&directory)?;
        fs::create_dir(&directory).map_err(Error::path(&directory))
    }

    /// Puts the next maps in the place of the current ones.
    pub(crate) fn promote_maps(&self) -> Result<(), Error> {
        let (current, next) = (self.maps(Generation::Current), self.maps(Generation::Next));
        remove_tree(&current)?;
        fs::rename(&next, &current).map_err(Error::path(&next))
    }

    /// Removes all of them. A program whose link goes is taken off its interface.
    pub fn remove(&self) -> Result<(), Error> {
        remove_tree(&self.directory)
    }
}

pub(crate) fn remove_tree(directory: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::path(directory)(error)),
        _ => Ok(()),
    }
}
