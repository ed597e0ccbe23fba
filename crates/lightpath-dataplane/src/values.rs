//! What is in an array map of any layout, as words: the types that maps of an earlier schema were made of are gone.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::sync::atomic::Ordering;

use aya::maps::{MapData, MapType};
use aya::util::nr_cpus;
use nix::libc;

use crate::Error;
use crate::maps::pinned;
use crate::memory::Memory;

const WORD: usize = size_of::<u64>();

/// The values of an array map by index, those of a per-CPU map for each CPU in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Values {
    /// Words of one value.
    pub(crate) width: usize,
    /// The words of all values, one after another.
    pub(crate) words: Vec<u64>,
}

/// A pinned array map, per CPU or not.
pub(crate) struct ArrayMap {
    name: &'static str,
    map: MapData,
    entries: u32,
    /// Words of one value.
    width: usize,
    /// How many values an index has; `None` if there is one for all CPUs, in memory.
    cpus: Option<usize>,
}

impl ArrayMap {
    pub(crate) fn open(directory: &Path, name: &'static str) -> Result<Self, Error> {
        let map = pinned(directory, name)?;
        let info = map.info().map_err(Error::map(name))?;
        let kind = info.map_type().map_err(Error::map(name))?;
        let failed = |source| Error::Values { name, source };
        let cpus = match kind {
            MapType::Array => None,
            MapType::PerCpuArray => Some(nr_cpus().map_err(|(_, source)| failed(source))?),
            _ => return Err(failed(io::Error::other("it is no array"))),
        };
        // The kernel rounds values of per-CPU maps up to words; those of ours are words, all of them.
        let width = info.value_size() as usize / WORD;
        Ok(Self { name, entries: info.max_entries(), map, width, cpus })
    }

    /// All values.
    pub(crate) fn read(&self) -> Result<Values, Error> {
        let Some(cpus) = self.cpus else {
            let memory = self.memory()?;
            let words = memory.words().iter().map(|word| word.load(Ordering::Acquire)).collect();
            return Ok(Values { width: self.width, words });
        };
        let mut words = vec![0; self.entries as usize * cpus * self.width];
        for (index, value) in (0..).zip(words.chunks_mut(cpus * self.width)) {
            self.element(Command::Lookup, index, value)?;
        }
        Ok(Values { width: self.width, words })
    }

    /// Stores values from the first on; what is beyond them stays.
    pub(crate) fn write(&self, mut values: Values) -> Result<(), Error> {
        let room = self.entries as usize * self.cpus.unwrap_or(1) * self.width;
        if values.width != self.width || values.words.len() > room {
            let problem = format!("{} values of {} words do not fit", values.words.len(), values.width);
            return Err(Error::Values { name: self.name, source: io::Error::other(problem) });
        }
        let Some(cpus) = self.cpus else {
            let memory = self.memory()?;
            for (at, word) in values.words.into_iter().enumerate() {
                memory.write(at, word);
            }
            return Ok(());
        };
        for (index, value) in (0..).zip(values.words.chunks_mut(cpus * self.width)) {
            self.element(Command::Update, index, value)?;
        }
        Ok(())
    }

    /// Adds to per-CPU counters what they are more in `now` than in `before`. What a CPU counts of an index at the same moment may be
    /// lost, so only those are written that differ.
    pub(crate) fn add_difference(&self, before: &Values, now: &Values) -> Result<(), Error> {
        let of_index = self.cpus.unwrap_or(1) * self.width;
        let mut sums = vec![0; of_index];
        let changes = before.words.chunks(of_index).zip(now.words.chunks(of_index));
        for (index, (before, now)) in (0..).zip(changes).filter(|(_, (before, now))| before != now) {
            self.element(Command::Lookup, index, &mut sums)?;
            for (sum, (before, now)) in sums.iter_mut().zip(before.iter().zip(now)) {
                *sum = sum.wrapping_add(now.wrapping_sub(*before));
            }
            self.element(Command::Update, index, &mut sums)?;
        }
        Ok(())
    }

    fn memory(&self) -> Result<Memory, Error> {
        let memory = Memory::map(self.map.fd(), self.entries, self.width * WORD);
        memory.map_err(|errno| Error::Mapping { name: self.name, source: errno.into() })
    }

    fn element(&self, command: Command, index: u32, values: &mut [u64]) -> Result<(), Error> {
        let done = element(command, self.map.fd().as_fd(), index, values);
        done.map_err(|source| Error::Values { name: self.name, source })
    }
}

/// Commands of uapi/linux/bpf.h.
#[derive(Clone, Copy)]
enum Command {
    /// `BPF_MAP_LOOKUP_ELEM`.
    Lookup = 1,
    /// `BPF_MAP_UPDATE_ELEM`.
    Update = 2,
}

/// The member of `union bpf_attr` for both.
#[repr(C)]
struct Question {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

const _: () = assert!(size_of::<Question>() == 32);

/// Reads or writes the values of an index of a per-CPU map, which are as many as there may be CPUs. aya does it for values whose
/// type is known.
fn element(command: Command, map: BorrowedFd<'_>, index: u32, values: &mut [u64]) -> io::Result<()> {
    let question = Question {
        map: map.as_raw_fd().cast_unsigned(),
        padding: 0,
        key: (&raw const index).expose_provenance() as u64,
        value: values.as_mut_ptr().expose_provenance() as u64,
        flags: 0,
    };
    #[expect(unsafe_code, reason = "bpf(2) has no wrapper")]
    // SAFETY: the length is that of `question`. It points to `index`, which is read, and to `values`, which is live, writable and, as
    // `ArrayMap` cuts it, as long as the kernel's values of one index on all possible CPUs.
    let answer = unsafe {
        libc::syscall(libc::SYS_bpf, command as libc::c_int, &raw const question, size_of::<Question>())
    };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
