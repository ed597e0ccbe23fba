//! The data plane as the rest of the system holds it: load, specialise, attach, fill, count, detach.
//!
//! A [`Spec`] is inert data. [`Dataplane::open`] is where the kernel's behaviour begins: it loads the embedded program made
//! for the spec, over the maps that are pinned already if they fit. [`Dataplane::apply`] fills the tables, and only then
//! does [`Dataplane::attach`] let packets in, exchanging a program that runs for the new one atomically. What is attached
//! stays when the process ends; [`detach`] takes it off.

mod attach;
pub mod bench;
mod capture;
mod checks;
mod clock;
mod copy;
mod counters;
mod cpus;
mod decap;
mod error;
mod flows;
mod interface;
mod lines;
mod loaded;
mod maps;
mod memory;
mod object;
mod pins;
mod previous;
mod program;
mod renew;
mod schema;
mod sessions;
mod slots;
mod spec;
mod spread;
mod tables;
mod test_run;
mod trial;
mod used_maps;
mod values;

pub use lightpath_core::host::{Changes, Image as Tables, Unwrapped};

pub use attach::{Attachment, Detached, PassProgram, XdpMode, attach_pass, check_interfaces, detach};
pub use capture::{Capture, Copied, Samples};
pub use checks::CheckWay;
pub use clock::is_synchronised;
pub use counters::{Counters, CpuCounters};
pub use cpus::Cpus;
pub use decap::{Decap, DecapSpec};
pub use error::Error;
pub use flows::{FLOW_TABLE_BYTES, Motion};
pub use interface::{AttachedProgram, Interface, Mode};
pub use memory::release_memory;
pub use object::{object, use_object};
pub use pins::Pins;
pub use program::{Dataplane, ProgramFigures};
pub use spec::{Capacity, DEFAULT_SESSIONS, MAX_SOURCES, Spec};
pub use spread::Spread;
pub use test_run::{Outcome, TestPacket};
pub use trial::Trial;
