//! The program before the one that runs, kept so that it can be taken back.
//!
//! It is kept for as long as both run over the same maps. What each was made for is pinned beside it, in a map that only user
//! space reads.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use aya::maps::{Array, Map, MapData};
use aya::programs::Xdp;
use aya_obj::programs::XdpAttachType;
use lightpath_abi::{Features, SCHEMA};
use lightpath_core::PortPool;

use crate::attach::{XdpMode, attach_program, look};
use crate::object::object;
use crate::pins::{Generation, Pins, remove_tree};
use crate::{Cpus, Dataplane, Error, Spec, maps};

const ABOUT: &str = "about";
/// Words of the map: features, port prefixes, first and last port of sessions, a hash of the build, and the CPUs that packets are
/// spread over. Earlier versions end with the build.
const WORDS: u32 = 5 + Cpus::WORDS;
const BUILD: u32 = 4;
const CPUS: u32 = 5;

/// Pins what a program is made for.
pub(crate) fn describe(path: &Path, spec: &Spec) -> Result<(), Error> {
    let Spec { features, port_prefixes, snat_ports, spread, .. } = spec;
    let mut words = vec![
        features.0.into(),
        (*port_prefixes).into(),
        snat_ports.first.into(),
        snat_ports.last.into(),
        this_build(),
    ];
    words.extend(spread.words());
    debug_assert_eq!(words.len(), WORDS as usize, "as many as there is room for");
    let mut map = Array::<MapData, u64>::create(WORDS, 0).map_err(Error::map(ABOUT))?;
    for (index, word) in (0..).zip(words) {
        map.set(index, word, 0).map_err(Error::map(ABOUT))?;
    }
    map.pin(path).map_err(|source| Error::Pin { path: path.to_owned(), source: Box::new(source) })
}

fn this_build() -> u64 {
    let mut hasher = DefaultHasher::new();
    object().hash(&mut hasher);
    hasher.finish()
}

fn about(path: &Path) -> Result<Array<MapData, u64>, Error> {
    let map = Map::from_map_data(MapData::from_pin(path).map_err(Error::map(ABOUT))?);
    Array::try_from(map.map_err(Error::map(ABOUT))?).map_err(Error::map(ABOUT))
}

/// The build that a description is of.
fn build(path: &Path) -> Result<u64, Error> {
    about(path)?.get(&BUILD, 0).map_err(Error::map(ABOUT))
}

/// What the program with this description is made for, over maps of `spec`.
fn described(path: &Path, spec: &Spec) -> Result<Spec, Error> {
    let map = about(path)?;
    let word = |index| map.get(&index, 0).map_err(Error::map(ABOUT));
    let small = |index| Ok::<u32, Error>(u32::try_from(word(index)?).unwrap_or(0));
    let port = |index| Ok::<u16, Error>(u16::try_from(word(index)?).unwrap_or(0));
    let mut spread = [0; Cpus::WORDS as usize];
    if map.len() == WORDS {
        for (index, cpus) in (CPUS..).zip(&mut spread) {
            *cpus = word(index)?;
        }
    }
    let spread = Cpus::from_words(spread);
    Ok(Spec {
        features: Features(small(0)?),
        port_prefixes: small(1)?,
        snat_ports: PortPool { first: port(2)?, last: port(3)? },
        spread,
        ..*spec
    })
}

impl Pins {
    /// Whether the program that runs is of the build that this process loads.
    #[must_use]
    pub fn run_this_build(&self) -> bool {
        let [_, _, [about, _, _]] = self.of_program();
        about.exists() && build(&about).is_ok_and(|build| build == this_build())
    }

    /// Each pin of a program, where it goes while the program is loaded, and where it is kept when another has its place.
    fn of_program(&self) -> [[PathBuf; 3]; 3] {
        let place = |name: &str| {
            ["", "_next", "_previous"].map(|suffix| self.directory().join(format!("{name}{suffix}")))
        };
        ["program", "stages", ABOUT].map(place)
    }

    pub(crate) fn next_about(&self) -> PathBuf {
        self.directory().join("about_next")
    }

    /// The next program is the one that runs from now on, and the one before it is kept, unless it is of the same build: then
    /// the one that is kept already is more worth keeping.
    pub(crate) fn promote_program(&self) -> Result<(), Error> {
        let [_, _, [about, next_about, _]] = self.of_program();
        let is_another = next_about.exists() && about.exists() && build(&about)? != build(&next_about)?;
        for [current, next, previous] in self.of_program() {
            if next.exists() {
                if is_another && current.exists() {
                    fs::rename(&current, &previous).map_err(Error::path(&current))?;
                }
                fs::rename(&next, &current).map_err(Error::path(&next))?;
            }
        }
        Ok(())
    }

    /// The program before this one belongs to maps that are gone.
    pub(crate) fn forget_previous(&self) -> Result<(), Error> {
        for [_, _, previous] in self.of_program() {
            if previous.exists() {
                fs::remove_file(&previous).map_err(Error::path(&previous))?;
            }
        }
        Ok(())
    }

    /// A program that was loaded is not to be used, nor are maps that were made for it.
    pub fn forget_next(&self) -> Result<(), Error> {
        remove_tree(&self.maps(Generation::Next))?;
        for [_, next, _] in self.of_program() {
            if next.exists() {
                fs::remove_file(&next).map_err(Error::path(&next))?;
            }
        }
        Ok(())
    }

    /// The program that runs and the one before it change places.
    fn exchange_programs(&self) -> Result<(), Error> {
        for [current, next, previous] in self.of_program() {
            fs::rename(&current, &next).map_err(Error::path(&current))?;
            fs::rename(&previous, &current).map_err(Error::path(&previous))?;
            fs::rename(&next, &previous).map_err(Error::path(&next))?;
        }
        Ok(())
    }
}

impl Dataplane {
    /// Takes the program back that ran before this one, on every interface, and keeps this one instead. `needed` is what the
    /// configuration asks of a program.
    pub fn roll_back(&mut self, needed: &Spec) -> Result<(), Error> {
        let [program, _, about] = self.pins.of_program();
        let [_, _, previous] = program;
        if !previous.exists() {
            let earlier = maps::earlier_schema(&self.pins.maps(Generation::Current))?;
            let of_another = |found| Error::PreviousSchema { found, expected: SCHEMA };
            return Err(earlier.map_or(Error::NoPrevious, of_another));
        }
        let spec = described(&about[2], &self.spec)?;
        if !spec.can_all_of(needed) {
            let lacking = Features(needed.features.0 & !spec.features.0);
            return Err(Error::PreviousLacks { features: lacking.names().collect::<Vec<_>>().join(", ") });
        }
        let mut before = Xdp::from_pin(&previous, XdpAttachType::Interface)?;
        for name in self.pins.linked_interfaces()? {
            let interface = look(&self.pins, &name)?;
            attach_program(&mut before, &self.pins, &interface, XdpMode::Auto)?;
        }
        self.pins.exchange_programs()?;
        self.program = before;
        self.spec = spec;
        Ok(())
    }
}
