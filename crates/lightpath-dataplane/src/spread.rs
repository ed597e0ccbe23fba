//! Packets spread over CPUs: the program that receives them gives them to others through a CPU map.
//!
//! Each CPU of the map has a queue, and a thread of the kernel that runs the balancer for what is in it. Both are of one program:
//! with another one come other queues. The kernel frees a map that no program uses any more only when what was in its queues
//! is balanced, so that an exchange loses nothing.

use std::path::Path;

use aya::maps::{Array, CpuMap, MapData, PerCpuArray};
use aya::programs::Xdp;
use aya::util::nr_cpus;

use crate::loaded::{Loaded, loaded};
use crate::maps::{self, OF_EVERY_PROGRAM};
use crate::object::{BALANCER, SPREAD, SPREAD_OBJECT};
use crate::used_maps::bind;
use crate::{Error, Spec};

/// The queues of the CPUs.
const QUEUES: &str = "SPREAD_QUEUES";
/// The CPUs that packets are spread over.
const OVER: &str = "SPREAD_OVER";
/// What each CPU has given to each, and taken.
const GIVEN: &str = "SPREAD_GIVEN";
const TAKEN: &str = "SPREAD_TAKEN";

/// The maps that are pinned beside the others, so that what they count goes on under the next program.
pub(crate) const COUNTS: [&str; 2] = [GIVEN, TAKEN];

/// Packets that may wait for a CPU. A network card's own queues have 512 to 4096 places, and 2048 packets are a millisecond's work.
const PLACES: u32 = 2048;

/// Sizes of the maps for this host and spec, by name.
pub(crate) fn sizes(spec: &Spec) -> Result<[(&'static str, u32); 3], Error> {
    let possible = possible_cpus()?;
    Ok([(QUEUES, possible), (GIVEN, possible), (OVER, count(spec).max(1))])
}

pub(crate) fn count(spec: &Spec) -> u32 {
    u32::try_from(spec.spread.iter().count()).unwrap_or(u32::MAX)
}

fn possible_cpus() -> Result<u32, Error> {
    let possible = nr_cpus().map_err(|(path, source)| Error::Path { path: path.into(), source })?;
    Ok(u32::try_from(possible).unwrap_or(u32::MAX))
}

/// Loads the balancer as a program of CPUs, and what gives packets to them: the program [`SPREAD`].
pub(crate) fn load(directory: &Path, spec: &Spec) -> Result<Loaded, Error> {
    let names = [&maps::PINNED[..], &COUNTS].concat();
    let mut all = Loaded::of(SPREAD_OBJECT, directory, &names, spec)?;
    let object = &mut all.object;
    let mut over = object.take_map(OVER).ok_or(Error::Missing { name: OVER })?;
    let mut over = Array::<_, u32>::try_from(&mut over).map_err(Error::map(OVER))?;
    let queues = object.take_map(QUEUES).ok_or(Error::Missing { name: QUEUES })?;
    let mut queues = CpuMap::try_from(queues).map_err(Error::map(QUEUES))?;
    let balancer: &Xdp = object.program(BALANCER).ok_or(Error::Missing { name: BALANCER })?.try_into()?;
    for (index, cpu) in (0..).zip(spec.spread.iter()) {
        over.set(index, cpu, 0).map_err(Error::map(OVER))?;
        queues.set(cpu, PLACES, Some(balancer.fd()?), 0).map_err(|source| Error::Spread { cpu, source })?;
    }
    let entry = loaded(object, SPREAD)?;
    // It is by these that the maps of a program are known again.
    for name in OF_EVERY_PROGRAM {
        bind(entry.fd()?, maps::pinned(directory, name)?.fd()).map_err(|source| Error::Uses { source })?;
    }
    Ok(all)
}

/// What was given to CPUs and taken by them, of maps in which that was counted.
pub(crate) struct Counts {
    given: PerCpuArray<MapData, u64>,
    taken: PerCpuArray<MapData, u64>,
}

/// Packets on their way from one CPU to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Packets that were given to a CPU.
    pub given: u64,
    /// Packets that it has taken. Those that it has not are in its queue, or were dropped because that was full.
    pub taken: u64,
}

impl Counts {
    /// Opens them, if packets have ever been spread over the maps in `directory`.
    pub(crate) fn open(directory: &Path) -> Result<Option<Self>, Error> {
        if COUNTS.iter().any(|name| !directory.join(name).exists()) {
            return Ok(None);
        }
        Ok(Some(Self { given: maps::per_cpu(directory, GIVEN)?, taken: maps::per_cpu(directory, TAKEN)? }))
    }

    /// Of each possible CPU. Where the program gives packets away meanwhile, what it gives last may not be counted yet.
    pub(crate) fn read(&self) -> Result<Vec<Spread>, Error> {
        let given =
            |cpu| self.given.get(&cpu, 0).map(|of_cpus| of_cpus.iter().sum()).map_err(Error::map(GIVEN));
        let given = (0..possible_cpus()?).map(given).collect::<Result<Vec<u64>, _>>()?;
        let taken = self.taken.get(&0, 0).map_err(Error::map(TAKEN))?;
        Ok(given
            .into_iter()
            .zip(taken.iter())
            .map(|(given, taken)| Spread { given, taken: *taken })
            .collect())
    }
}
