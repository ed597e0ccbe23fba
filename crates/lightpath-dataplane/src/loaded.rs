//! The object in the kernel: made for a [`Spec`], with its stages in place, and not attached to anything.

use std::path::Path;

use aya::maps::{MapData, ProgramArray};
use aya::programs::Xdp;
use aya::{Ebpf, EbpfLoader};
use lightpath_core::Stage;

use crate::object::{BALANCER, STAGES, object, stage};
use crate::{Error, ProgramFigures, Spec, maps, spread};

/// A loaded object.
pub(crate) struct Loaded {
    pub(crate) object: Ebpf,
    /// The map by which the balancer goes on to its stages. The kernel empties it with the last reference from user space.
    pub(crate) stages: ProgramArray<MapData>,
    /// What the kernel says of the stages.
    pub(crate) figures: Vec<ProgramFigures>,
}

impl Loaded {
    /// Loads the object. Of its maps those of these names are the ones pinned in `directory`, which are made if they are not
    /// there; the others are its own.
    pub(crate) fn over(directory: &Path, names: &[&'static str], spec: &Spec) -> Result<Self, Error> {
        Self::of(object(), directory, names, spec)
    }

    /// Loads another object with the same programs in it.
    pub(crate) fn of(
        bytes: &[u8],
        directory: &Path,
        names: &[&'static str],
        spec: &Spec,
    ) -> Result<Self, Error> {
        let directory_mask = spec.capacity.directory - 1;
        let session_mask = spec.capacity.sessions - 1;
        let [snat_first, snat_last] = [spec.snat_ports.first, spec.snat_ports.last].map(u32::from);
        let map_pins: Vec<_> = names.iter().map(|name| (*name, directory.join(name))).collect();
        let spread_count = spread::count(spec);
        let mut loader = EbpfLoader::new();
        loader
            .override_global("FEATURES", &spec.features.0, true)
            .override_global("DIRECTORY_MASK", &directory_mask, true)
            .override_global("PORT_PREFIXES", &spec.port_prefixes, true)
            .override_global("HASH_START", &spec.hash_key.start, true)
            .override_global("HASH_MULTIPLIER", &spec.hash_key.multiplier, true)
            .override_global("SESSION_MASK", &session_mask, true)
            .override_global("SNAT_FIRST", &snat_first, true)
            .override_global("SNAT_LAST", &snat_last, true)
            .override_global("SPREAD_COUNT", &spread_count, false);
        for (name, entries) in maps::sizes(spec.capacity).into_iter().chain(spread::sizes(spec)?) {
            loader.map_max_entries(name, entries);
        }
        for (name, path) in &map_pins {
            loader.map_pin_path(name, path.as_path());
        }
        let mut object = loader.load(bytes)?;
        loaded(&mut object, BALANCER)?;
        let stages = object.take_map(STAGES).ok_or(Error::Missing { name: STAGES })?;
        let mut stages = ProgramArray::try_from(stages).map_err(Error::map(STAGES))?;
        let mut figures = Vec::new();
        for number in Stage::ALL.into_iter().filter(|stage| spec.features.has(stage.feature())) {
            let program = loaded(&mut object, stage(number))?;
            stages.set(number as u32, program.fd()?, 0).map_err(Error::map(STAGES))?;
            figures.push(ProgramFigures::of(program)?);
        }
        Ok(Self { object, stages, figures })
    }
}

pub(crate) fn loaded<'a>(object: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Xdp, Error> {
    let program: &mut Xdp = object.program_mut(name).ok_or(Error::Missing { name })?.try_into()?;
    program.load()?;
    Ok(program)
}
