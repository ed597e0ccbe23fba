//! Maps that take the place of those in use and go on from what is in them: larger ones, or ones of a newer schema.
//!
//! A map that stays as it is is the same one in both generations: what packets change in it is seen by whichever program they
//! meet. The others are new ones and filled from the old.

use std::path::{Path, PathBuf};

use lightpath_abi::Entry;
use lightpath_core::{HashKey, directory};
use zerocopy::transmute;

use crate::Error;
use crate::lines::DirectoryLines;
use crate::maps::{self, Described, Maps};
use crate::schema::{self, Step};
use crate::spec::Capacity;
use crate::spread;
use crate::values::{ArrayMap, Values};

const LINE_WORDS: usize = size_of::<Entry>() / size_of::<u64>();

/// The maps in use, while those that go on from them stand ready.
#[derive(Debug)]
pub(crate) struct Predecessors {
    directory: PathBuf,
    steps: &'static [Step],
    /// The maps that stay as they are.
    kept: Vec<&'static str>,
    /// The maps that are to be others.
    renewed: Vec<&'static str>,
    /// Those of them that are to be larger.
    larger: Vec<&'static str>,
    /// Counters as they were handed over.
    counted: Vec<(&'static str, Values)>,
}

impl Predecessors {
    /// The maps in `directory`, when they are to have another capacity or schema.
    pub(crate) fn new(directory: PathBuf, found: &Described, to: Capacity) -> Self {
        let grows = |name| {
            let size = |capacity| maps::sizes(capacity).into_iter().find(|(known, _)| *known == name);
            size(found.capacity) != size(to)
        };
        let is_renewed = |name: &&'static str| grows(*name) || schema::change(found.steps, name);
        let known = || maps::PINNED.into_iter().filter(|name| !schema::add(found.steps, name));
        let renewed: Vec<_> = known().filter(is_renewed).collect();
        let kept = known().filter(|name| !renewed.contains(name)).collect();
        let larger = renewed.iter().copied().filter(|name| grows(*name)).collect();
        Self { directory, steps: found.steps, kept, renewed, larger, counted: Vec::new() }
    }

    /// Makes the maps that stay the next ones as well.
    pub(crate) fn share(&self, next: &Path) -> Result<(), Error> {
        let counts = spread::COUNTS.into_iter().filter(|name| self.directory.join(name).exists());
        for name in self.kept.iter().copied().chain(counts) {
            let map = maps::pinned(&self.directory, name)?;
            let path = next.join(name);
            map.pin(&path).map_err(|source| Error::Pin { path, source: Box::new(source) })?;
        }
        Ok(())
    }

    /// Fills those of the next maps that only this process writes.
    pub(crate) fn fill(&self, next: &Path, maps: &Maps, key: HashKey) -> Result<(), Error> {
        for name in self.renewed.iter().copied().filter(|name| maps::READ.contains(name)) {
            if name == maps::DIRECTORY {
                self.insert_lines(maps, key)?;
            } else {
                self.carry_over(name, next)?;
            }
        }
        Ok(())
    }

    /// Fills those that packets write, right before they meet the next program.
    pub(crate) fn hand_over(&mut self, next: &Path) -> Result<(), Error> {
        // A session's place follows from how many there is room for: with more room, none is where it was.
        let is_lost = |name| maps::OF_SESSIONS.contains(&name) && self.larger.contains(&name);
        let is_written = |name: &&'static str| !maps::READ.contains(name) && !is_lost(*name);
        for name in self.renewed.iter().copied().filter(is_written) {
            let values = self.values(name)?;
            if maps::COUNTERS.contains(&name) {
                self.counted.push((name, values.clone()));
            }
            ArrayMap::open(next, name)?.write(values)?;
        }
        Ok(())
    }

    /// Adds what packets have counted since, now that none meets the program before any more.
    pub(crate) fn catch_up(&self, next: &Path) -> Result<(), Error> {
        for (name, counted) in &self.counted {
            ArrayMap::open(next, name)?.add_difference(counted, &self.values(name)?)?;
        }
        Ok(())
    }

    fn carry_over(&self, name: &'static str, next: &Path) -> Result<(), Error> {
        ArrayMap::open(next, name)?.write(self.values(name)?)
    }

    /// What is in a map, as this version has it.
    fn values(&self, name: &'static str) -> Result<Values, Error> {
        let values = ArrayMap::open(&self.directory, name)?.read()?;
        Ok(schema::translate(self.steps, name, values))
    }

    /// A line's place follows from how many there are.
    fn insert_lines(&self, maps: &Maps, key: HashKey) -> Result<(), Error> {
        let capacity = maps.capacity.directory;
        let mut lines = DirectoryLines(&maps.directory);
        for words in self.values(maps::DIRECTORY)?.words.as_chunks::<LINE_WORDS>().0 {
            let line: Entry = transmute!(*words);
            if line.tag.role().is_some() {
                directory::insert(&mut lines, key, capacity - 1, &line)
                    .map_err(|_| Error::Full { table: "directory", capacity })?;
            }
        }
        Ok(())
    }
}
