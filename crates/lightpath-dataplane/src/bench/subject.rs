//! Programs that can be measured: the balancer, those that it is compared with, and anybody's.

use std::fmt;
use std::path::Path;

use aya::programs::Xdp;
use aya::{Ebpf, EbpfLoader};
use aya_obj::programs::XdpAttachType;

use super::{load, loaded, loader};
use crate::{Dataplane, Error, ProgramFigures};

/// A program that others are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// Swaps the MAC addresses and returns `XDP_TX`.
    Floor,
    /// Returns `XDP_DROP`.
    Discard,
    /// The load balancer of a tutorial, for 203.0.113.10: one hash map of all flows, IP checksum from scratch.
    Seed,
}

impl BuiltIn {
    /// Its name in the bench object.
    fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Discard => "discard",
            Self::Seed => "seed",
        }
    }
}

/// A loaded program, to be measured.
pub struct Subject(Origin);

/// Where it is from.
enum Origin {
    /// Its object holds maps that the kernel would otherwise empty, as those of programs that it tail-calls.
    Object { object: Ebpf, name: String },
    /// Somebody else holds them.
    Pin(Box<Xdp>),
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subject").field(&self.program()).finish()
    }
}

impl Subject {
    /// The balancer, over its live tables.
    pub fn balancer(dataplane: &Dataplane) -> Result<Self, Error> {
        let next = dataplane.pins.next_program();
        Self::pinned(&if next.exists() { next } else { dataplane.pins.program() })
    }

    /// One that others are compared with.
    pub fn built_in(program: BuiltIn) -> Result<Self, Error> {
        let mut object = load(&mut loader(program == BuiltIn::Seed))?;
        loaded(&mut object, program.name())?;
        Ok(Self(Origin::Object { object, name: program.name().to_owned() }))
    }

    /// A program of an ELF object, over new maps.
    pub fn in_object(file: &Path, program: &str) -> Result<Self, Error> {
        let bytes = std::fs::read(file).map_err(Error::path(file))?;
        let mut object = EbpfLoader::new().load(&bytes)?;
        let names = names(&object);
        let Some(found) = object.program_mut(program) else {
            return Err(Error::NoProgram { path: file.to_owned(), name: program.to_owned(), names });
        };
        let found: &mut Xdp = found.try_into()?;
        found.load()?;
        Ok(Self(Origin::Object { object, name: program.to_owned() }))
    }

    /// A program that somebody has loaded, configured and pinned.
    pub fn pinned(pin: &Path) -> Result<Self, Error> {
        let program = Xdp::from_pin(pin, XdpAttachType::Interface)?;
        Ok(Self(Origin::Pin(Box::new(program))))
    }

    pub(super) fn program(&self) -> Result<&Xdp, Error> {
        match &self.0 {
            Origin::Pin(program) => Ok(program),
            Origin::Object { object, name } => {
                Ok(object.program(name).ok_or(Error::Missing { name: "program" })?.try_into()?)
            }
        }
    }

    pub(super) fn program_mut(&mut self) -> Result<&mut Xdp, Error> {
        match &mut self.0 {
            Origin::Pin(program) => Ok(program),
            Origin::Object { object, name } => {
                Ok(object.program_mut(name).ok_or(Error::Missing { name: "program" })?.try_into()?)
            }
        }
    }

    /// What the kernel says of it.
    pub fn figures(&self) -> Result<ProgramFigures, Error> {
        ProgramFigures::of(self.program()?)
    }
}

/// The programs of an object.
fn names(object: &Ebpf) -> String {
    let names: Vec<&str> = object.programs().map(|(name, _)| name).collect();
    names.join(", ")
}
