//! Loading: from a [`Spec`] to a program in the kernel, over adopted or fresh maps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use aya::programs::Xdp;
use aya_obj::programs::XdpAttachType;
use lightpath_abi::{BackendNumber, Session, SessionSet};
use lightpath_core::Parameters;
use lightpath_core::host::HostTables;

use crate::loaded::Loaded;
use crate::maps::{self, Described, Maps};
use crate::object::{BALANCER, SPREAD};
use crate::pins::{Generation, Pins};
use crate::renew::Predecessors;
use crate::{Changes, Counters, Error, Motion, Spec, Tables, previous, spread};

/// A loaded program and its maps. Packets reach it once it is attached.
#[derive(Debug)]
pub struct Dataplane {
    pub(crate) pins: Pins,
    pub(crate) spec: Spec,
    pub(crate) program: Xdp,
    pub(crate) maps: Maps,
    pub(crate) generation: Generation,
    /// The maps in use, while others that go on from them stand ready.
    pub(crate) predecessors: Option<Predecessors>,
    stages: Vec<ProgramFigures>,
}

impl Dataplane {
    /// Loads the program for `spec`.
    ///
    /// Maps that are pinned already are adopted with everything in them, if they hash by the same key. If they are too small, or
    /// of an earlier schema, others with the same in them stand ready beside them until [`attach`](Self::attach), else fresh
    /// ones.
    pub fn open(pins: &Pins, spec: &Spec) -> Result<Self, Error> {
        pins.make()?;
        maps::finish_promotion(pins)?;
        let found = maps::described(&pins.maps(Generation::Current), &pins.program())?;
        match found.filter(|found| found.hash_key == spec.hash_key) {
            Some(found) if found.steps.is_empty() && found.capacity.holds(spec.capacity) => {
                Self::load(pins, Spec { capacity: found.capacity, ..*spec }, Generation::Current, None)
            }
            Some(found) => Self::open_beside(pins, spec, &found),
            None => Self::open_fresh(pins, spec),
        }
    }

    /// Loads the program for `spec` over maps that go on from those in use.
    fn open_beside(pins: &Pins, spec: &Spec, found: &Described) -> Result<Self, Error> {
        let spec = Spec { capacity: spec.capacity.or_larger(found.capacity), ..*spec };
        let predecessors = Predecessors::new(pins.maps(Generation::Current), found, spec.capacity);
        let next = pins.maps(Generation::Next);
        pins.make_next_maps()?;
        predecessors.share(&next)?;
        let mut successor = Self::load(pins, spec, Generation::Next, Some(found))?;
        predecessors.fill(&next, &successor.maps, spec.hash_key)?;
        successor.predecessors = Some(predecessors);
        Ok(successor)
    }

    /// Loads the program for `spec` over fresh maps, whatever is pinned. Counters start at 0 again.
    pub fn open_fresh(pins: &Pins, spec: &Spec) -> Result<Self, Error> {
        pins.make()?;
        pins.make_next_maps()?;
        Self::load(pins, *spec, Generation::Next, None)
    }

    fn load(
        pins: &Pins,
        spec: Spec,
        generation: Generation,
        before: Option<&Described>,
    ) -> Result<Self, Error> {
        let directory = pins.maps(generation);
        let stages = load(pins, &directory, &spec)?;
        if generation == Generation::Next {
            maps::describe(&directory, &spec, before)?;
        }
        let maps = Maps::open(&directory, spec.capacity)?;
        // The object that was loaded is many times the size of what is needed of it from now on.
        let program = Xdp::from_pin(pins.next_program(), XdpAttachType::Interface)?;
        Ok(Self { pins: pins.clone(), spec, program, maps, generation, predecessors: None, stages })
    }

    /// What the program was made for; the capacity is that of the maps, which may be more than was asked for.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Makes the tables equal to `tables`, writing only what differs.
    pub fn apply(&mut self, tables: &Tables) -> Result<Changes, Error> {
        self.maps.apply(tables, self.spec.hash_key)
    }

    /// The tables as they are, as far as a later run has to know them to go on: who has which number.
    #[must_use]
    pub fn tables(&self) -> Tables {
        self.maps.tables()
    }

    /// A copy of the live tables in ordinary memory, in which the packet path can be tried without consequences. How this node
    /// routes replies is not part of it.
    pub fn host_tables(&self) -> Result<HostTables, Error> {
        let parameters = Parameters {
            features: self.spec.features,
            directory_mask: self.spec.capacity.directory - 1,
            port_prefixes: self.spec.port_prefixes,
            hash_key: self.spec.hash_key,
            session_mask: self.spec.capacity.sessions - 1,
            snat_ports: self.spec.snat_ports,
        };
        self.maps.host_tables(parameters)
    }

    /// Settles the slots whose flows need to be remembered no longer. What still moves.
    pub fn settle(&mut self) -> Result<Motion, Error> {
        self.maps.settle()
    }

    /// Bytes that the sessions of `fullnat` and their index take, whatever is in them.
    #[must_use]
    pub fn session_bytes(&self) -> usize {
        let sessions = self.spec.capacity.sessions;
        sessions as usize * size_of::<Session>()
            + SessionSet::count(sessions) as usize * size_of::<SessionSet>()
    }

    /// How many flows of `fullnat` live on each backend that has any.
    pub fn sessions(&self) -> Result<BTreeMap<BackendNumber, usize>, Error> {
        self.maps.sessions()
    }

    /// What was counted since the maps were made.
    pub fn counters(&self) -> Result<Counters, Error> {
        Counters::read(&self.maps)
    }

    /// What the kernel says of the program.
    pub fn info(&self) -> Result<ProgramFigures, Error> {
        ProgramFigures::of(&self.program)
    }

    /// What the kernel said of the stages that the program goes on to, in the order of their numbers, when they were loaded.
    #[must_use]
    pub fn stages(&self) -> &[ProgramFigures] {
        &self.stages
    }
}

pub(crate) fn promote(next: &Path, path: &Path) -> Result<(), Error> {
    match fs::rename(next, path) {
        // It is there already, from an attachment before this one.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed.map_err(Error::path(path)),
    }
}

/// What the kernel says of a loaded program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramFigures {
    /// Its id.
    pub id: u32,
    /// Instructions the verifier walked, over all paths.
    pub verified_instructions: Option<u32>,
    /// Bytes of BPF instructions that were left.
    pub translated_bytes: Option<u32>,
    /// Bytes of machine code.
    pub jited_bytes: u32,
}

impl ProgramFigures {
    pub(crate) fn of(program: &Xdp) -> Result<Self, Error> {
        let info = program.info()?;
        Ok(Self {
            id: info.id(),
            verified_instructions: info.verified_instruction_count(),
            translated_bytes: info.size_translated(),
            jited_bytes: info.size_jitted(),
        })
    }
}

/// Loads the object over the maps in `directory`, making those that are not there, and pins the program that packets meet first beside
/// the one before it. From then on both are known as this instance's. What the kernel says of its stages.
fn load(pins: &Pins, directory: &Path, spec: &Spec) -> Result<Vec<ProgramFigures>, Error> {
    let (loaded, first) = if spec.spread.is_empty() {
        (Loaded::over(directory, &maps::PINNED, spec)?, BALANCER)
    } else {
        (spread::load(directory, spec)?, SPREAD)
    };
    let Loaded { mut object, stages, figures } = loaded;
    let next = vacated(pins.next_stages())?;
    stages.pin(&next).map_err(|source| Error::Pin { path: next, source: Box::new(source) })?;

    let program: &mut Xdp = object.program_mut(first).ok_or(Error::Missing { name: first })?.try_into()?;
    previous::describe(&vacated(pins.next_about())?, spec)?;
    let next = vacated(pins.next_program())?;
    program.pin(&next).map_err(|source| Error::Pin { path: next, source: Box::new(source) })?;
    Ok(figures)
}

/// A place for a pin, without what an attempt before this one may have left there.
pub(crate) fn vacated(path: PathBuf) -> Result<PathBuf, Error> {
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::path(&path)(error)),
        _ => Ok(path),
    }
}
