//! The maps behind a program: made, adopted from pins, and opened for use.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::os::fd::AsFd;
use std::path::Path;

use aya::maps::{Array, MapData, PerCpuArray};
use aya::programs::Xdp;
use aya_obj::programs::XdpAttachType;
use lightpath_abi::{
    Backend, Entry, FILTER_WORDS, Flow, FlowTable, SCHEMA, Session, SessionSet, SlotPair, Source,
    VlanInterface,
};
use lightpath_core::HashKey;
use lightpath_core::host::Moves;

use crate::memory::Memory;
use crate::pins::{Generation, Pins};
use crate::schema::{Step, steps_from};
use crate::spread::Counts;
use crate::used_maps::map_ids;
use crate::{Capacity, Error, Spec};

/// Names of the maps that are pinned, as in the BPF object.
pub(crate) const PINNED: [&str; 18] = [
    "FILTER",
    DIRECTORY,
    SLOTS,
    FLOWS,
    HALF_OPEN,
    FRAGMENTS,
    DIRECT,
    HAS_DIRECT,
    SOURCES,
    SESSIONS,
    SESSION_INDEX,
    VLANS,
    "BACKENDS",
    BACKEND_COUNTERS,
    NEW_FLOWS,
    SERVICE_COUNTERS,
    REASONS,
    REPLIES,
];

/// Those that packets only read.
pub(crate) const READ: [&str; 6] = ["FILTER", DIRECTORY, SLOTS, SOURCES, VLANS, "BACKENDS"];

/// Those that every program uses, whatever its features. Others may be the slow path's alone.
pub(crate) const OF_EVERY_PROGRAM: [&str; 4] = ["FILTER", DIRECTORY, SLOTS, "BACKENDS"];

/// Those that packets count in, each CPU for itself.
pub(crate) const COUNTERS: [&str; 5] = [BACKEND_COUNTERS, NEW_FLOWS, SERVICE_COUNTERS, REASONS, REPLIES];

/// Those of the flows of `fullnat`.
pub(crate) const OF_SESSIONS: [&str; 2] = [SESSIONS, SESSION_INDEX];

pub(crate) const DIRECTORY: &str = "DIRECTORY";
pub(crate) const BACKEND_COUNTERS: &str = "BACKEND_COUNTERS";
pub(crate) const NEW_FLOWS: &str = "NEW_FLOWS";
pub(crate) const SERVICE_COUNTERS: &str = "SERVICE_COUNTERS";
pub(crate) const REASONS: &str = "REASONS";
pub(crate) const REPLIES: &str = "REPLIES";
const SLOTS: &str = "SLOTS";
const FLOWS: &str = "FLOWS";
const HALF_OPEN: &str = "HALF_OPEN";
const FRAGMENTS: &str = "FRAGMENTS";
const DIRECT: &str = "DIRECT";
const HAS_DIRECT: &str = "HAS_DIRECT";
const SOURCES: &str = "SOURCES";
const SESSIONS: &str = "SESSIONS";
const SESSION_INDEX: &str = "SESSION_INDEX";
const VLANS: &str = "VLANS";

/// Name of the map that describes the others; only user space reads it.
const META: &str = "META";

/// Entries of [`META`]: schema, directory lines, slots, backends, services, sources, sessions, both halves of the hash key, and
/// the schema that they were migrated from, or 0. The schema is the first in every version, so that each can tell what it has
/// before it.
const META_ENTRIES: u32 = 10;

/// What the maps in a directory were made for.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) capacity: Capacity,
    pub(crate) hash_key: HashKey,
    schema: u64,
    /// What leads from their schema to this version's.
    pub(crate) steps: &'static [Step],
}

/// The maps of a data plane.
pub(crate) struct Maps {
    pub(crate) capacity: Capacity,
    pub(crate) filter: Memory,
    pub(crate) directory: Memory,
    slots: MapData,
    flows: MapData,
    half_open: MapData,
    fragments: MapData,
    direct: MapData,
    pub(crate) has_direct: Memory,
    pub(crate) sources: Memory,
    sessions: MapData,
    session_index: MapData,
    pub(crate) vlans: Memory,
    /// When slots began to move, as far as this process has seen it.
    pub(crate) moves: Moves,
    pub(crate) backends: Memory,
    pub(crate) backend_counters: PerCpuArray<MapData, [u64; 4]>,
    pub(crate) new_flows: PerCpuArray<MapData, u64>,
    pub(crate) service_counters: PerCpuArray<MapData, u64>,
    pub(crate) reasons: PerCpuArray<MapData, u64>,
    pub(crate) replies: PerCpuArray<MapData, u64>,
    /// Where packets are spread over CPUs, or were.
    pub(crate) spread: Option<Counts>,
}

impl fmt::Debug for Maps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maps").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl Maps {
    /// Opens the maps pinned in `directory`.
    pub(crate) fn open(directory: &Path, capacity: Capacity) -> Result<Self, Error> {
        let memory = |name, entries, size| mapped(&pinned(directory, name)?, name, entries, size);
        Ok(Self {
            capacity,
            filter: memory("FILTER", 2 * FILTER_WORDS, size_of::<u64>())?,
            directory: memory(DIRECTORY, capacity.directory, size_of::<Entry>())?,
            slots: pinned(directory, SLOTS)?,
            flows: pinned(directory, FLOWS)?,
            half_open: pinned(directory, HALF_OPEN)?,
            fragments: pinned(directory, FRAGMENTS)?,
            direct: pinned(directory, DIRECT)?,
            has_direct: memory(HAS_DIRECT, 1, size_of::<u64>())?,
            sources: memory(SOURCES, capacity.sources, size_of::<Source>())?,
            sessions: pinned(directory, SESSIONS)?,
            session_index: pinned(directory, SESSION_INDEX)?,
            vlans: memory(VLANS, VlanInterface::PLACES, size_of::<VlanInterface>())?,
            moves: Moves::default(),
            backends: memory("BACKENDS", capacity.backends, size_of::<Backend>())?,
            backend_counters: per_cpu(directory, BACKEND_COUNTERS)?,
            new_flows: per_cpu(directory, NEW_FLOWS)?,
            service_counters: per_cpu(directory, SERVICE_COUNTERS)?,
            reasons: per_cpu(directory, REASONS)?,
            replies: per_cpu(directory, REPLIES)?,
            spread: Counts::open(directory)?,
        })
    }
}

impl Maps {
    /// The slots, for as long as they are worked on: megabytes that would count as this process's all the time.
    pub(crate) fn slots(&self) -> Result<Memory, Error> {
        mapped(&self.slots, SLOTS, self.capacity.slots / 2, size_of::<SlotPair>())
    }

    /// A table of flows, likewise.
    pub(crate) fn flows(&self, table: FlowTable) -> Result<Memory, Error> {
        let (map, name) = match table {
            FlowTable::Established => (&self.flows, FLOWS),
            FlowTable::HalfOpen => (&self.half_open, HALF_OPEN),
            FlowTable::Fragments => (&self.fragments, FRAGMENTS),
            FlowTable::Direct => (&self.direct, DIRECT),
        };
        mapped(map, name, table.places(), size_of::<Flow>())
    }
}

impl Maps {
    /// The sessions, likewise.
    pub(crate) fn session_memory(&self) -> Result<Memory, Error> {
        mapped(&self.sessions, SESSIONS, self.capacity.sessions, size_of::<Session>())
    }

    /// Their index, likewise.
    pub(crate) fn session_index(&self) -> Result<Memory, Error> {
        let sets = SessionSet::count(self.capacity.sessions);
        mapped(&self.session_index, SESSION_INDEX, sets, size_of::<SessionSet>())
    }
}

fn mapped(map: &MapData, name: &'static str, entries: u32, entry_size: usize) -> Result<Memory, Error> {
    Memory::map(map.fd(), entries, entry_size).map_err(|errno| Error::Mapping { name, source: errno.into() })
}

/// Sizes of the maps, by name.
pub(crate) fn sizes(capacity: Capacity) -> [(&'static str, u32); 9] {
    [
        (DIRECTORY, capacity.directory),
        (SLOTS, capacity.slots / 2),
        ("BACKENDS", capacity.backends),
        (SOURCES, capacity.sources),
        (SESSIONS, capacity.sessions),
        (SESSION_INDEX, SessionSet::count(capacity.sessions)),
        (BACKEND_COUNTERS, capacity.backends),
        (NEW_FLOWS, capacity.backends),
        (SERVICE_COUNTERS, capacity.services),
    ]
}

/// Writes down what the maps in `directory` were made for, and which they go on from.
pub(crate) fn describe(directory: &Path, spec: &Spec, before: Option<&Described>) -> Result<(), Error> {
    let Spec { capacity, hash_key, .. } = spec;
    let earlier = before.map_or(0, |before| if before.steps.is_empty() { 0 } else { before.schema });
    let meta: [u64; META_ENTRIES as usize] = [
        u64::from(SCHEMA),
        capacity.directory.into(),
        capacity.slots.into(),
        capacity.backends.into(),
        capacity.services.into(),
        capacity.sources.into(),
        capacity.sessions.into(),
        hash_key.start,
        hash_key.multiplier,
        earlier,
    ];
    let mut map = Array::<MapData, u64>::create(META_ENTRIES, 0).map_err(Error::map(META))?;
    for (index, word) in (0..).zip(meta) {
        map.set(index, word, 0).map_err(Error::map(META))?;
    }
    let path = directory.join(META);
    map.pin(&path).map_err(|source| Error::Pin { path, source: Box::new(source) })
}

/// What the maps in `directory` were made for, if there are any and `program` runs on them.
pub(crate) fn described(directory: &Path, program: &Path) -> Result<Option<Described>, Error> {
    if !directory.join(META).exists() {
        return Ok(None);
    }
    let meta = meta(directory)?;
    let word = |index| meta.get(&index, 0).map_err(Error::map(META));
    let schema = word(0)?;
    let unknown = || Error::Schema { path: directory.to_owned(), found: schema, expected: SCHEMA };
    let steps = steps_from(schema).ok_or_else(unknown)?;
    if !uses(program, directory)? {
        return Ok(None);
    }
    let size = |index| Ok::<u32, Error>(u32::try_from(word(index)?).unwrap_or(0));
    let capacity = Capacity {
        directory: size(1)?,
        slots: size(2)?,
        backends: size(3)?,
        services: size(4)?,
        sources: size(5)?,
        sessions: size(6)?,
    };
    let hash_key = HashKey { start: word(7)?, multiplier: word(8)? };
    Ok(Some(Described { capacity, hash_key, schema, steps }))
}

/// The schema that the maps in `directory`, which are of this version's, were migrated from.
pub(crate) fn earlier_schema(directory: &Path) -> Result<Option<u64>, Error> {
    let earlier = meta(directory)?.get(&(META_ENTRIES - 1), 0).map_err(Error::map(META))?;
    Ok((earlier != 0).then_some(earlier))
}

fn meta(directory: &Path) -> Result<Array<MapData, u64>, Error> {
    let map = aya::maps::Map::from_map_data(pinned(directory, META)?).map_err(Error::map(META))?;
    Array::try_from(map).map_err(Error::map(META))
}

/// The next hops of an instance's backends: index of the interface, and MAC address.
pub(crate) fn next_hops(pins: &Pins) -> Result<BTreeSet<(u32, [u8; 6])>, Error> {
    let directory = pins.maps(Generation::Current);
    let Some(found) = described(&directory, &pins.program())? else {
        return Ok(BTreeSet::new());
    };
    let maps = Maps::open(&directory, found.capacity)?;
    let hops = maps.backends().map(|(_, backend)| *backend.next_hop());
    Ok(hops.filter(|hop| hop.interface != 0).map(|hop| (hop.interface, hop.mac)).collect())
}

/// A crash may have left the maps of the running program where the next ones go.
pub(crate) fn finish_promotion(pins: &Pins) -> Result<(), Error> {
    let (current, next) = (pins.maps(Generation::Current), pins.maps(Generation::Next));
    if !next.join(META).exists() {
        return Ok(());
    }
    // Some of them may be in both places, so those tell that are in one only.
    let used = used_by(&pins.program())?;
    let ids = |directory: &Path| PINNED.map(|name| map_id(directory, name).ok());
    let is_another = |(next, current): (Option<u32>, Option<u32>)| next.filter(|_| next != current);
    if ids(&next).into_iter().zip(ids(&current)).filter_map(is_another).any(|id| used.contains(&id)) {
        pins.promote_maps()?;
    }
    Ok(())
}

/// Whether the pinned program runs on the maps in `directory`. A crash while maps were exchanged may have left others there.
fn uses(program: &Path, directory: &Path) -> Result<bool, Error> {
    let used = used_by(program)?;
    Ok(OF_EVERY_PROGRAM.into_iter().all(|name| map_id(directory, name).is_ok_and(|id| used.contains(&id))))
}

/// Ids of the maps that a pinned program runs on; none, if there is no program.
fn used_by(program: &Path) -> Result<HashSet<u32>, Error> {
    let Ok(program) = Xdp::from_pin(program, XdpAttachType::Interface) else {
        return Ok(HashSet::new());
    };
    let used = map_ids(program.fd()?.as_fd()).map_err(|source| Error::Uses { source })?;
    Ok(used.into_iter().collect())
}

fn map_id(directory: &Path, name: &str) -> Result<u32, Error> {
    Ok(pinned(directory, name)?.info().map_err(Error::map(name))?.id())
}

pub(crate) fn pinned(directory: &Path, name: &str) -> Result<MapData, Error> {
    MapData::from_pin(directory.join(name)).map_err(Error::map(name))
}

pub(crate) fn per_cpu<V: aya::Pod>(directory: &Path, name: &str) -> Result<PerCpuArray<MapData, V>, Error> {
    let map = aya::maps::Map::from_map_data(pinned(directory, name)?).map_err(Error::map(name))?;
    PerCpuArray::try_from(map).map_err(Error::map(name))
}
