//! The checks, one a file. Each looks at one thing and says all that it sees, also that it is as it should be.

mod arp;
mod clock;
mod configuration;
mod driver;
mod forwarding;
mod hash_seed;
mod interfaces;
mod kernel;
mod leftovers;
mod limits;
mod mtu;
mod next_hops;
mod offloads;
mod ports;
mod program;
mod queues;
mod rp_filter;
mod vips;

use anyhow::Result;

use super::finding::Finding;
use super::surroundings::Surroundings;
use Look::{Ask, At};

/// A check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    /// As in the JSON.
    pub(super) name: &'static str,
    pub(super) look: Look,
}

/// How a check looks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
    /// At what is gathered already.
    At(fn(&Surroundings) -> Vec<Finding>),
    /// By asking the system, which may fail; that is no finding yet.
    Ask(fn(&Surroundings) -> Result<Vec<Finding>>),
}

/// All of them, from what everything needs to what a single service does.
pub(super) const ALL: [Check; 18] = [
    Check { name: "configuration", look: At(configuration::look) },
    Check { name: "kernel", look: Ask(kernel::look) },
    Check { name: "program", look: Ask(program::look) },
    Check { name: "interfaces", look: At(interfaces::look) },
    Check { name: "driver", look: Ask(driver::look) },
    Check { name: "queues", look: Ask(queues::look) },
    Check { name: "offloads", look: Ask(offloads::look) },
    Check { name: "next-hops", look: At(next_hops::look) },
    Check { name: "mtu", look: At(mtu::look) },
    Check { name: "forwarding", look: Ask(forwarding::look) },
    Check { name: "rp-filter", look: Ask(rp_filter::look) },
    Check { name: "arp", look: Ask(arp::look) },
    Check { name: "vips", look: Ask(vips::look) },
    Check { name: "ports", look: Ask(ports::look) },
    Check { name: "hash-seed", look: At(hash_seed::look) },
    Check { name: "limits", look: Ask(limits::look) },
    Check { name: "clock", look: At(clock::look) },
    Check { name: "leftovers", look: Ask(leftovers::look) },
];
