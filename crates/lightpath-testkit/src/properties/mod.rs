//! What must hold whatever arrives: of any frame, any packet to any service, and any configuration file.
//!
//! Each function takes any input, fails if a promise about it is broken, and gives what became of the input. The fuzz targets
//! (`fuzz/` at the root of the repository) try inputs that nobody thought of; tests replay the inputs that were kept, and
//! packets that are generated.

mod answered;
mod configuration;
mod corpus;
mod forward;
mod judge;
mod outer;
mod owner;
mod parse;
mod quic;
mod quote;
mod sent;
mod sessions;

pub use configuration::configuration;
pub use corpus::{Target, corpus, dictionary, seeds};
pub use forward::{Fate, SCENES, forward, script};
pub use parse::parse;
