extern crate std;

use core::cell::RefCell;
use std::vec::Vec;

use lightpath_abi::{Address, Prefix, TunnelCounters};

use crate::{Format, Refusal, TunnelEnd};

/// A host that tunnels end at, in ordinary memory.
#[derive(Clone, Debug, Default)]
pub struct HostTunnelEnd {
    /// Where tunnels may come from.
    pub sources: Vec<Prefix>,
    /// The host's own addresses.
    pub local: Vec<Prefix>,
    /// Whether other tunnels are dropped.
    pub strict: bool,
    /// What was counted.
    pub counted: RefCell<Unwrapped>,
}

/// What was counted at the end of tunnels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unwrapped {
    /// Packets unwrapped of each format, in the order of [`Format::ALL`].
    pub unwrapped: [TunnelCounters; Format::ALL.len()],
    /// Packets not unwrapped for each reason, in the order of [`Refusal::ALL`].
    pub refused: [u64; Refusal::ALL.len()],
}

impl Unwrapped {
    /// What was unwrapped of a format.
    #[must_use]
    pub const fn of(&self, format: Format) -> TunnelCounters {
        self.unwrapped[format as usize]
    }

    /// How many packets were not unwrapped for a reason.
    #[must_use]
    pub const fn refused(&self, refusal: Refusal) -> u64 {
        self.refused[refusal as usize]
    }
}

impl TunnelEnd for HostTunnelEnd {
    fn is_local(&self, address: Address) -> bool {
        self.local.iter().any(|prefix| prefix.contains(address))
    }

    fn is_listed(&self, source: Address) -> bool {
        self.sources.iter().any(|prefix| prefix.contains(source))
    }

    fn is_strict(&self) -> bool {
        self.strict
    }

    fn unwrapped(&self, format: Format, bytes: usize) {
        self.counted.borrow_mut().unwrapped[format as usize].count(bytes);
    }

    fn refused(&self, refusal: Refusal) {
        self.counted.borrow_mut().refused[refusal as usize] += 1;
    }
}
