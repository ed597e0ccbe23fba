//! What the BPF program and user space agree on: keys, values and constants of the maps.
//!
//! Every type is plain integers with explicit padding, so that any byte pattern read from a map is a valid value, and
//! its size is asserted here. Numbers are in host byte order unless a field says otherwise; the two sides always run on
//! the same machine.

#![no_std]

mod address;
mod backend;
mod capture;
mod check;
mod counters;
mod directory;
mod features;
mod flow;
mod prefix;
mod session;
mod slot;
mod vlan;
mod word;

pub use address::Address;
pub use backend::{Backend, BackendNumber, NextHop, Source};
pub use capture::{CaptureFilter, Capturing, Ending, MAX_SNAPLEN, Sample};
pub use check::{CHECK_DEVICE_MAC, CheckFlow, CheckedBackend, FIRST_CHECK_MARK, MAX_CHECKED};
pub use counters::{BackendCounters, ServiceCounters, TunnelCounters};
pub use directory::{Entry, FILTER_WORDS, Forward, Role, ServiceIndex, Slots, Tag};
pub use features::Features;
pub use flow::{FLOW_WAYS, FRAGMENT_TIMEOUT, Flow, FlowTable, IDLE_TIMEOUT, UDP_LEARN};
pub use prefix::Prefix;
pub use session::{Claim, Pointer, SESSION_WAYS, SESSION_WORDS, Session, SessionSet, SessionTuple, Side};
pub use slot::{Slot, SlotPair};
pub use vlan::VlanInterface;
pub use word::Word;

/// Version of everything in this crate. Pinned maps of an earlier version are migrated, those of any other are not touched.
pub const SCHEMA: u32 = 3;
