//! The other end of tunnels: the program behind `lightpath decap`.
//!
//! It has maps of its own, which are made anew each time; only its link is pinned. So the next process exchanges the program
//! atomically, and what is counted begins with each.

use std::collections::BTreeSet;
use std::fmt;

use aya::maps::lpm_trie::Key;
use aya::maps::{LpmTrie, MapData, PerCpuArray};
use aya::programs::Xdp;
use aya::{Ebpf, EbpfLoader};
use ipnet::IpNet;
use lightpath_abi::{Prefix, TunnelCounters};
use lightpath_core::host::Unwrapped;
use zerocopy::transmute;

use crate::attach::{attach_program, look};
use crate::interface::{Interface, Mode};
use crate::loaded::loaded;
use crate::object::{DECAP, DECAP_OBJECT};
use crate::program::{promote, vacated};
use crate::test_run::{self, Outcome, TestPacket};
use crate::{Error, Pins, ProgramFigures, XdpMode};

/// Prefixes of the host's own addresses that the program knows at most. Only those there are take memory.
const MAX_LOCAL: u32 = 1 << 16;

const SOURCES: &str = "TUNNEL_SOURCES";
const LOCAL: &str = "LOCAL";
const UNWRAPPED: &str = "UNWRAPPED";
const REFUSED: &str = "REFUSED";

/// What a program is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecapSpec {
    /// Where tunnels may come from.
    pub sources: Vec<IpNet>,
    /// Whether tunnels from elsewhere to this host are dropped, instead of left to the kernel.
    pub strict: bool,
}

/// A loaded program. Packets reach it once it is attached.
pub struct Decap {
    object: Ebpf,
    local: LpmTrie<MapData, [u32; 4], u32>,
    /// What is in `local`.
    known: BTreeSet<IpNet>,
    unwrapped: PerCpuArray<MapData, [u64; 2]>,
    refused: PerCpuArray<MapData, u64>,
}

impl fmt::Debug for Decap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decap").field("known", &self.known).finish_non_exhaustive()
    }
}

impl Decap {
    /// Loads the program for `spec`. It unwraps nothing before it knows the [host's addresses](Self::set_local).
    pub fn load(spec: &DecapSpec) -> Result<Self, Error> {
        let sources = u32::try_from(spec.sources.len()).unwrap_or(u32::MAX);
        let mut object = EbpfLoader::new()
            .override_global("STRICT", &u32::from(spec.strict), true)
            .map_max_entries(SOURCES, sources.max(1))
            .map_max_entries(LOCAL, MAX_LOCAL)
            .load(DECAP_OBJECT)?;
        loaded(&mut object, DECAP)?;
        let mut trie = trie(&mut object, SOURCES)?;
        for source in &spec.sources {
            trie.insert(&key(source), 1, 0).map_err(Error::map(SOURCES))?;
        }
        Ok(Self {
            local: self::trie(&mut object, LOCAL)?,
            known: BTreeSet::new(),
            unwrapped: per_cpu(&mut object, UNWRAPPED)?,
            refused: per_cpu(&mut object, REFUSED)?,
            object,
        })
    }

    /// Says which addresses are delivered on this host. Those it has known already stay in place meanwhile.
    pub fn set_local(&mut self, prefixes: &BTreeSet<IpNet>) -> Result<(), Error> {
        for added in prefixes.difference(&self.known) {
            self.local.insert(&key(added), 1, 0).map_err(Error::map(LOCAL))?;
        }
        for removed in self.known.difference(prefixes) {
            self.local.remove(&key(removed)).map_err(Error::map(LOCAL))?;
        }
        self.known.clone_from(prefixes);
        Ok(())
    }

    /// Lets packets in, or exchanges the program of the instance that is on the interface for this one. The link is pinned, so it
    /// outlives this process; [`detach`](crate::detach) takes it off.
    pub fn attach(&mut self, pins: &Pins, interface: &str, mode: XdpMode) -> Result<Mode, Error> {
        let interface = look(pins, interface)?;
        pins.make()?;
        let program: &mut Xdp =
            self.object.program_mut(DECAP).ok_or(Error::Missing { name: DECAP })?.try_into()?;
        let attached = attach_program(program, pins, &interface, mode)?;
        let next = vacated(pins.next_program())?;
        program.pin(&next).map_err(|source| Error::Pin { path: next.clone(), source: Box::new(source) })?;
        promote(&next, &pins.program())?;
        Ok(attached)
    }

    /// Whether packets reach the program: not so on an interface that was removed, even if it was made anew since.
    pub fn is_attached(&self, interface: &str) -> Result<bool, Error> {
        let own = self.info()?.id;
        match Interface::named(interface) {
            Ok(found) => Ok(found.xdp.is_some_and(|program| program.id == own)),
            Err(Error::NoInterface { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What was counted since the program was loaded, summed over CPUs.
    pub fn counters(&self) -> Result<Unwrapped, Error> {
        let mut counters = Unwrapped::default();
        for (index, sum) in (0..).zip(&mut counters.unwrapped) {
            for of_cpu in self.unwrapped.get(&index, 0).map_err(Error::map(UNWRAPPED))?.iter() {
                let of_cpu: TunnelCounters = transmute!(*of_cpu);
                sum.add(&of_cpu);
            }
        }
        for (index, count) in (0..).zip(&mut counters.refused) {
            *count = self.refused.get(&index, 0).map_err(Error::map(REFUSED))?.iter().sum();
        }
        Ok(counters)
    }

    /// Runs a packet through the program. Nothing is delivered, but it is counted.
    pub fn test_run(&self, packet: TestPacket<'_>) -> Result<Outcome, Error> {
        test_run::run(self.program()?, packet)
    }

    /// What the kernel says of the program.
    pub fn info(&self) -> Result<ProgramFigures, Error> {
        ProgramFigures::of(self.program()?)
    }

    fn program(&self) -> Result<&Xdp, Error> {
        Ok(self.object.program(DECAP).ok_or(Error::Missing { name: DECAP })?.try_into()?)
    }
}

fn key(prefix: &IpNet) -> Key<[u32; 4]> {
    let (bits, octets) = Prefix::new(prefix.addr(), prefix.prefix_len()).parts();
    Key::new(bits, octets)
}

fn trie(object: &mut Ebpf, name: &'static str) -> Result<LpmTrie<MapData, [u32; 4], u32>, Error> {
    let map = object.take_map(name).ok_or(Error::Missing { name })?;
    LpmTrie::try_from(map).map_err(Error::map(name))
}

fn per_cpu<V: aya::Pod>(object: &mut Ebpf, name: &'static str) -> Result<PerCpuArray<MapData, V>, Error> {
    let map = object.take_map(name).ok_or(Error::Missing { name })?;
    PerCpuArray::try_from(map).map_err(Error::map(name))
}
