//! What a running program takes of the host: time, by the kernel's own account, and memory.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use aya::maps::MapData;
use aya::programs::loaded_programs;
use aya::sys::{Stats, enable_stats};

use crate::pins::Generation;
use crate::{Error, Interface, Pins};

/// Has the kernel take the time of every run of a BPF program, until it is dropped. That costs each run some 10 to 30 ns.
#[derive(Debug)]
pub struct Accounting {
    _statistics: OwnedFd,
}

impl Accounting {
    /// Begins.
    pub fn begin() -> Result<Self, Error> {
        let statistics =
            enable_stats(Stats::RunTime).map_err(|error| Error::Accounting { source: error.io_error })?;
        Ok(Self { _statistics: statistics })
    }
}

/// What a program took so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Runs that were accounted for.
    pub runs: u64,
    /// Their time. A program that it tail-called is part of it.
    pub time: Duration,
}

impl Cost {
    /// Of the program on an interface of the calling thread's network namespace; nothing if there is none.
    pub fn on(interface: &str) -> Result<Self, Error> {
        let Some(attached) = Interface::named(interface)?.xdp else { return Ok(Self::default()) };
        let info = loaded_programs().filter_map(Result::ok).find(|program| program.id() == attached.id);
        Ok(info.map_or_else(Self::default, |info| Self { runs: info.run_count(), time: info.run_time() }))
    }

    /// What was added since.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { runs: self.runs.saturating_sub(earlier.runs), time: self.time.saturating_sub(earlier.time) }
    }
}

/// Bytes of kernel memory that the maps of an instance take, by the kernel's account (`memlock` of proc_pid_fdinfo(5)).
pub fn map_bytes(pins: &Pins) -> Result<u64, Error> {
    let directory = pins.maps(Generation::Current);
    let mut sum = 0;
    for entry in fs::read_dir(&directory).map_err(Error::path(&directory))? {
        let path = entry.map_err(Error::path(&directory))?.path();
        let map = MapData::from_pin(&path).map_err(Error::map("pinned"))?;
        let info = PathBuf::from(format!("/proc/self/fdinfo/{}", map.fd().as_fd().as_raw_fd()));
        let text = fs::read_to_string(&info).map_err(Error::path(&info))?;
        let bytes = text.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse::<u64>().ok());
        sum += bytes.unwrap_or(0);
    }
    Ok(sum)
}
