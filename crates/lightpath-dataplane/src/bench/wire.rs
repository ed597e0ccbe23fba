//! Both ends of a link that packets cross: what sends as fast as the kernel can, and what counts those that come back.

use std::time::Duration;

use aya::Ebpf;
use aya::maps::{PerCpuArray, PerCpuValues};
use aya::programs::links::FdLink;
use aya::programs::xdp::XdpMode as AyaMode;
use aya::programs::{TestRun, TestRunAttrs, TestRunOptions};

use super::stopwatch::write_template;
use super::{Subject, load, loaded, loader, program};
use crate::attach::attach_link;
use crate::test_run::Context;
use crate::{Error, Interface};

/// Frames that the kernel sends at a time: a quarter of what a veth's queue holds, so that none is lost there.
const BATCH: u32 = 64;

/// The map in which the generator says how far it is: packets sent, of them those between both times, and these in nanoseconds.
const PROGRESS: &str = "PROGRESS";
type Progress = [u64; 4];

/// Sends a packet, as one of many flows, by `BPF_PROG_TEST_RUN` with live frames.
///
/// What is at the other end of a veth, and what comes back from there, is taken care of on the CPU that sends. So the time of a
/// packet is the time of everything that happens to it, if nothing else runs there.
#[derive(Debug)]
pub struct Generator {
    object: Ebpf,
    packet: Vec<u8>,
    interface: u32,
}

/// What a generator has sent, from the beginning of its first batch of packets to that of its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Packets.
    pub packets: u64,
    /// How long they took.
    pub time: Duration,
}

impl Generator {
    /// A generator on an interface of the calling thread's network namespace. `packet` is of IPv4, of at least
    /// [`RESTORED`](super::RESTORED) bytes; flows differ in their source port and are a power of two of at most 65,536.
    pub fn new(interface: &str, packet: Vec<u8>, flows: u32) -> Result<Self, Error> {
        let mask = flows.next_power_of_two() - 1;
        let mut object = load(loader(false).override_global("PORT_MASK", &mask, true))?;
        write_template(&mut object, &packet)?;
        loaded(&mut object, "generate")?;
        Ok(Self { object, packet, interface: Interface::named(interface)?.index })
    }

    /// Sends so many packets, more than 64, in the network namespace that it was made in.
    pub fn send(&mut self, packets: u32) -> Result<Sent, Error> {
        self.begin()?;
        let context = Context::new(self.packet.len(), self.interface);
        let options = TestRunOptions {
            data_in: Some(&self.packet),
            ctx_in: Some(context.as_bytes()),
            repeat: packets,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::new()
        };
        program(&mut self.object, "generate")?.test_run(options)?;
        self.sent()
    }

    /// Forgets what was sent.
    fn begin(&mut self) -> Result<(), Error> {
        let map = self.object.map_mut(PROGRESS).ok_or(Error::Missing { name: PROGRESS })?;
        let mut map = PerCpuArray::<_, Progress>::try_from(map).map_err(Error::map(PROGRESS))?;
        let cpus = map.get(&0, 0).map_err(Error::map(PROGRESS))?.len();
        let none = PerCpuValues::try_from(vec![Progress::default(); cpus]);
        let none = none.map_err(|source| Error::Path { path: PROGRESS.into(), source })?;
        map.set(0, none, 0).map_err(Error::map(PROGRESS))
    }

    /// By the generator's own account.
    fn sent(&self) -> Result<Sent, Error> {
        let map = self.object.map(PROGRESS).ok_or(Error::Missing { name: PROGRESS })?;
        let map = PerCpuArray::<_, Progress>::try_from(map).map_err(Error::map(PROGRESS))?;
        let values = map.get(&0, 0).map_err(Error::map(PROGRESS))?;
        let [_, timed, first, last] = values.iter().copied().find(|[sent, ..]| *sent > 0).unwrap_or_default();
        Ok(Sent { packets: timed, time: Duration::from_nanos(last - first) })
    }
}

/// Counts what arrives on an interface, and drops it.
#[derive(Debug)]
pub struct Sink {
    object: Ebpf,
    _link: FdLink,
}

impl Sink {
    /// Puts a sink on an interface of the calling thread's network namespace.
    pub fn new(interface: &str) -> Result<Self, Error> {
        let mut object = load(&mut loader(false))?;
        let index = Interface::named(interface)?.index;
        let link = attach_link(loaded(&mut object, "sink")?, index, AyaMode::Driver)
            .map_err(|source| Error::Attach { interface: interface.to_owned(), source: Box::new(source) })?;
        Ok(Self { object, _link: link })
    }

    /// Packets so far.
    pub fn packets(&self) -> Result<u64, Error> {
        let map = self.object.map("RETURNED").ok_or(Error::Missing { name: "RETURNED" })?;
        let map = PerCpuArray::<_, u64>::try_from(map).map_err(Error::map("RETURNED"))?;
        Ok(map.get(&0, 0).map_err(Error::map("RETURNED"))?.iter().sum())
    }
}

/// A program on an interface; off when dropped.
#[derive(Debug)]
pub struct Attached {
    _link: FdLink,
}

impl Subject {
    /// Puts the program on an interface of the calling thread's network namespace, in the driver.
    pub fn attach(&mut self, interface: &str) -> Result<Attached, Error> {
        let index = Interface::named(interface)?.index;
        let link = attach_link(self.program_mut()?, index, AyaMode::Driver)
            .map_err(|source| Error::Attach { interface: interface.to_owned(), source: Box::new(source) })?;
        Ok(Attached { _link: link })
    }
}
