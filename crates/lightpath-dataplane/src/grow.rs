//! Larger maps in the place of those that have become too small, with everything in them.
//!
//! A map whose size stays is the same one in both generations: what packets change in it is seen by whichever program they
//! meet. One that grows is a new one and filled from the old; all of these are written by this process alone, but for
//! counters.

use std::path::Path;
use std::sync::atomic::Ordering;

use aya::maps::{MapData, PerCpuArray};
use lightpath_core::HashKey;
use lightpath_core::directory;

use crate::Error;
use crate::lines::DirectoryLines;
use crate::maps::{self, Maps};
use crate::memory::Memory;
use crate::spec::Capacity;

/// Makes the maps in `current` whose size stays the next ones as well.
pub(crate) fn share(current: &Path, next: &Path, from: Capacity, to: Capacity) -> Result<(), Error> {
    let grows = |name| {
        let size = |capacity| maps::sizes(capacity).into_iter().find(|(known, _)| *known == name);
        size(from) != size(to)
    };
    for name in maps::PINNED.into_iter().filter(|name| !grows(*name)) {
        let map = maps::pinned(current, name)?;
        let path = next.join(name);
        map.pin(&path).map_err(|source| Error::Pin { path, source: Box::new(source) })?;
    }
    Ok(())
}

impl Maps {
    /// Fills these maps, which are not in use yet, from smaller ones that are.
    pub(crate) fn fill_from(&mut self, old: &Self, key: HashKey) -> Result<(), Error> {
        copy(&old.backends, &self.backends);
        copy(&old.sources, &self.sources);
        copy(&old.slots()?, &self.slots()?);
        self.moves = old.moves.clone();
        let mask = self.capacity.directory - 1;
        let mut lines = DirectoryLines(&self.directory);
        for (_, line) in DirectoryLines(&old.directory).entries() {
            directory::insert(&mut lines, key, mask, &line)
                .map_err(|_| Error::Full { table: "directory", capacity: self.capacity.directory })?;
        }
        Ok(())
    }

    /// Goes on counting from where smaller maps stand. What packets count there from now on is lost, so it comes last.
    pub(crate) fn count_on_from(&mut self, old: &Self) -> Result<(), Error> {
        let Capacity { backends, services, .. } = old.capacity;
        if backends != self.capacity.backends {
            copy_counters(&old.backend_counters, &mut self.backend_counters, backends)?;
        }
        if services != self.capacity.services {
            copy_counters(&old.service_counters, &mut self.service_counters, services)?;
        }
        Ok(())
    }
}

fn copy(from: &Memory, to: &Memory) {
    for (at, word) in from.words().iter().enumerate() {
        to.write(at, word.load(Ordering::Acquire));
    }
}

fn copy_counters<V: aya::Pod>(
    from: &PerCpuArray<MapData, V>,
    to: &mut PerCpuArray<MapData, V>,
    entries: u32,
) -> Result<(), Error> {
    for index in 0..entries {
        let values = from.get(&index, 0).map_err(Error::map("counters"))?;
        to.set(index, values, 0).map_err(Error::map("counters"))?;
    }
    Ok(())
}
