//! What happened, told once: to the log, and to whoever follows the events over the API.

mod faults;
mod told;
mod transitions;

pub(super) use faults::Faults;
pub(super) use told::Events;
pub(super) use transitions::Observer;
