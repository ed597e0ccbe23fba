//! Copies of packets as the data plane sees them, while somebody watches.
//!
//! A program that copies stands in for the one that runs, over the same maps, and hands back to it in the end. It is never pinned
//! as a program of the instance: the one that runs and the one before it stay what they are.

use std::fmt;

use aya::Ebpf;
use aya::maps::{Array, MapData, PerCpuArray, RingBuf};
use aya::programs::Xdp;
use lightpath_abi::{CaptureFilter, MAX_SNAPLEN, Sample};
use lightpath_core::BALANCER_PLACE;
use tracing::warn;
use zerocopy::{FromBytes, transmute};

use crate::attach::exchange;
use crate::loaded::{Loaded, loaded};
use crate::object::{BALANCER, CAPTURE, CAPTURE_OBJECT, STAGES};
use crate::pins::Pins;
use crate::program::vacated;
use crate::test_run::{self, Outcome, TestPacket};
use crate::{Dataplane, Error, Interface, maps};

/// Name of the map that says what is copied.
const FILTER: &str = "CAPTURE";
/// Name of the ring buffer.
const SAMPLES: &str = "SAMPLES";
/// Name of the map that counts what the ring buffer had no room for.
const LOST: &str = "LOST_SAMPLES";

/// Packets that are taken at once. The ring buffer has room for about as many small ones.
const AT_ONCE: usize = 1 << 16;

const FILTER_WORDS: usize = size_of::<CaptureFilter>() / size_of::<u64>();

/// A program that copies packets.
pub struct Capture(Ebpf);

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").finish_non_exhaustive()
    }
}

/// The copies, for one who reads them.
pub struct Samples {
    ring: RingBuf<MapData>,
    lost: PerCpuArray<MapData, u64>,
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Samples").finish_non_exhaustive()
    }
}

/// A packet as it came and as it left, as far as it was copied.
#[derive(Clone, Copy, Debug)]
pub struct Copied<'a> {
    /// What is said of it.
    pub sample: Sample,
    /// Its first bytes as it came.
    pub before: &'a [u8],
    /// Its first bytes as it left; none if it did not.
    pub after: &'a [u8],
}

impl Dataplane {
    /// Has packets copied that pass the filter, on every interface that the program is on.
    pub fn begin_capture(&mut self, filter: &CaptureFilter) -> Result<(Capture, Samples), Error> {
        let directory = self.pins.maps(self.generation);
        let Loaded { mut object, mut stages, .. } =
            Loaded::of(CAPTURE_OBJECT, &directory, &maps::PINNED, &self.spec)?;
        loaded(&mut object, CAPTURE)?;
        let balancer: &Xdp = object.program(BALANCER).ok_or(Error::Missing { name: BALANCER })?.try_into()?;
        stages.set(BALANCER_PLACE, balancer.fd()?, 0).map_err(Error::map(STAGES))?;
        let filter = CaptureFilter { snaplen: filter.snaplen.min(MAX_SNAPLEN), ..*filter };
        let map = object.map_mut(FILTER).ok_or(Error::Missing { name: FILTER })?;
        let mut map = Array::<_, [u64; FILTER_WORDS]>::try_from(map).map_err(Error::map(FILTER))?;
        let words: [u64; FILTER_WORDS] = transmute!(filter);
        map.set(0, words, 0).map_err(Error::map(FILTER))?;
        let ring = object.take_map(SAMPLES).ok_or(Error::Missing { name: SAMPLES })?;
        let lost = object.take_map(LOST).ok_or(Error::Missing { name: LOST })?;
        let samples = Samples {
            ring: RingBuf::try_from(ring).map_err(Error::map(SAMPLES))?,
            lost: PerCpuArray::try_from(lost).map_err(Error::map(LOST))?,
        };
        // Should this process end, packets go on through the program that copies, which needs its stages.
        let path = vacated(self.pins.capture_stages())?;
        stages.pin(&path).map_err(|source| Error::Pin { path, source: Box::new(source) })?;
        let mut capture = Capture(object);
        match capture.stand_in(&self.pins) {
            Ok(()) => Ok((capture, samples)),
            Err(error) => {
                self.end_capture(capture)?;
                Err(error)
            }
        }
    }

    /// Puts the program back that copies nothing.
    pub fn end_capture(&mut self, capture: Capture) -> Result<(), Error> {
        for name in self.pins.linked_interfaces()? {
            // One that is gone has nothing to be put back on.
            if let Ok(interface) = Interface::named(&name) {
                exchange(&mut self.program, &self.pins, &interface)?;
            }
        }
        drop(capture);
        vacated(self.pins.capture_stages()).map(drop)
    }
}

impl Capture {
    fn stand_in(&mut self, pins: &Pins) -> Result<(), Error> {
        let program: &mut Xdp =
            self.0.program_mut(CAPTURE).ok_or(Error::Missing { name: CAPTURE })?.try_into()?;
        for name in pins.linked_interfaces()? {
            match Interface::named(&name) {
                Ok(interface) => drop(exchange(program, pins, &interface)?),
                Err(error) => warn!(interface = name, %error, "its packets are not captured"),
            }
        }
        Ok(())
    }
}

impl Capture {
    /// Runs a packet through the program, as [`Dataplane::test_run`] does.
    pub fn test_run(&self, packet: TestPacket<'_>) -> Result<Outcome, Error> {
        let program: &Xdp = self.0.program(CAPTURE).ok_or(Error::Missing { name: CAPTURE })?.try_into()?;
        test_run::run(program, packet)
    }
}

impl Samples {
    /// Takes what there is, but not for ever: packets may be copied faster than anybody takes them.
    pub fn take(&mut self, mut each: impl FnMut(Copied<'_>)) {
        for _ in 0..AT_ONCE {
            let Some(item) = self.ring.next() else { return };
            if let Some(copied) = Copied::read(&item) {
                each(copied);
            }
        }
    }

    /// Copies for which there was no room, because nobody took those before them.
    pub fn lost(&self) -> Result<u64, Error> {
        let of_cpus = self.lost.get(&0, 0).map_err(Error::map(LOST))?;
        Ok(of_cpus.iter().sum())
    }
}

impl<'a> Copied<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (sample, bytes) = Sample::read_from_prefix(bytes).ok()?;
        let before = bytes.get(..sample.kept as usize)?;
        let after = bytes.get(before.len()..before.len() + sample.kept_after as usize)?;
        Some(Self { sample, before, after })
    }
}
