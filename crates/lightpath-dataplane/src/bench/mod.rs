//! Measuring: what a packet costs in a program, what a link carries, and how much of the host a program takes.

mod cost;
mod stopwatch;
mod subject;
mod wire;

pub use cost::{Accounting, Cost, map_bytes};
pub use stopwatch::{Ends, RESTORED, Stopwatch, Traffic};
pub use subject::{BuiltIn, Subject};
pub use wire::{Attached, Generator, Sent, Sink};

use aya::programs::Xdp;
use aya::{Ebpf, EbpfLoader};

use crate::Error;
use crate::object::BENCH_OBJECT;

/// The map of the seed program, which is large and only its own.
const SEED_FLOWS: &str = "SEED_FLOWS";

/// What the bench object is loaded with, but for the globals of each program in it.
fn loader<'a>(with_seed: bool) -> EbpfLoader<'a> {
    let mut loader = EbpfLoader::new();
    if !with_seed {
        loader.map_max_entries(SEED_FLOWS, 1);
    }
    loader
}

/// Loads the bench object.
fn load(loader: &mut EbpfLoader<'_>) -> Result<Ebpf, Error> {
    Ok(loader.load(BENCH_OBJECT)?)
}

fn program<'a>(object: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Xdp, Error> {
    Ok(object.program_mut(name).ok_or(Error::Missing { name })?.try_into()?)
}

/// A program of the bench object, loaded.
fn loaded<'a>(object: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Xdp, Error> {
    let program = program(object, name)?;
    program.load()?;
    Ok(program)
}
