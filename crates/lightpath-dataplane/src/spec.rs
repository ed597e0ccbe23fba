use lightpath_abi::Features;
use lightpath_core::{HashKey, PortPool};

use crate::Cpus;

/// What a program is made for, before anything is loaded: plain data, to be compared and printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// What the configuration needs; the rest is not in the program.
    pub features: Features,
    /// Bit `n` is set when some service's ports need a prefix of `n` bits.
    pub port_prefixes: u32,
    /// Key of the flow hash.
    pub hash_key: HashKey,
    /// Ports of this node that `fullnat` sends from.
    pub snat_ports: PortPool,
    /// The CPUs that packets are spread over; none if each is balanced where it arrives.
    pub spread: Cpus,
    /// How much the maps hold.
    pub capacity: Capacity,
}

impl Spec {
    /// Whether this program does whatever `other` does, on whichever CPUs.
    #[must_use]
    pub fn can_all_of(&self, other: &Self) -> bool {
        self.features.has(other.features)
            && other.port_prefixes & !self.port_prefixes == 0
            && (!other.features.has(Features::FULLNAT) || other.snat_ports == self.snat_ports)
    }

    /// This program, made for what `other` does too. Sessions that `other` has keep their ports, unless this one says which.
    #[must_use]
    pub fn joined(self, other: &Self) -> Self {
        Self {
            features: self.features | other.features,
            port_prefixes: self.port_prefixes | other.port_prefixes,
            snat_ports: if self.features.has(Features::FULLNAT) { self.snat_ports } else { other.snat_ports },
            ..self
        }
    }
}

/// How much the maps hold. Fixed once they are created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Service indices, 0 among them.
    pub services: u32,
    /// Backend numbers, 0 among them; at most 65,536.
    pub backends: u32,
    /// Slots of all services together; even.
    pub slots: u32,
    /// Lines of the directory; a power of two.
    pub directory: u32,
    /// Prefixes of this node's own addresses.
    pub sources: u32,
    /// Flows of `fullnat` at a time; a power of two. They take 144 bytes each.
    pub sessions: u32,
}

/// Sessions that there is room for where `fullnat` is used, unless told: 9 MB. The first flow is turned away when about two
/// fifths of them are in use.
pub const DEFAULT_SESSIONS: u32 = 1 << 16;

/// Prefixes of this node's own addresses that backends may be sent from, of all services together.
pub const MAX_SOURCES: u32 = 1024;

impl Capacity {
    /// Enough for so many services, backends, slots and directory entries, with room to change in.
    ///
    /// There is room for no sessions. A table that changes its size needs the old and the new one at a time, and a backend that
    /// returns gets a new number, so everything is about twice what is used. A directory more than half full may refuse an
    /// entry.
    #[must_use]
    pub fn for_use(services: u32, backends: u32, slots: u32, largest_table: u32, entries: u32) -> Self {
        Self {
            sources: MAX_SOURCES,
            sessions: 1,
            services: (services + 1).saturating_mul(2).next_power_of_two().max(64),
            backends: (backends + 1).saturating_mul(2).next_power_of_two().clamp(256, 1 << 16),
            slots: slots.saturating_add(largest_table).next_multiple_of(2).max(2),
            directory: entries.saturating_mul(3).next_power_of_two().max(256),
        }
    }

    /// For each map, the larger of two sizes.
    pub(crate) fn or_larger(self, other: Self) -> Self {
        Self {
            services: self.services.max(other.services),
            backends: self.backends.max(other.backends),
            slots: self.slots.max(other.slots),
            directory: self.directory.max(other.directory),
            sources: self.sources.max(other.sources),
            sessions: self.sessions.max(other.sessions),
        }
    }

    /// Whether maps of this capacity can be used where `needed` is asked for. The directory's size is part of its hash.
    #[must_use]
    pub fn holds(self, needed: Self) -> bool {
        self.services >= needed.services
            && self.backends >= needed.backends
            && self.slots >= needed.slots
            && self.directory >= needed.directory
            && self.sources >= needed.sources
            && self.sessions >= needed.sessions
    }
}
