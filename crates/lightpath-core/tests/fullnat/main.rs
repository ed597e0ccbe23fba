//! Sessions of `fullnat` over time: which live, which share nothing, and what their ends come to.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod flow;
mod lifetimes;
mod model;
mod ports;
