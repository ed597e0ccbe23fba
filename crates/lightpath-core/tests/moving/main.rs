//! Flows while the table of their service changes: `lightpath_core::change`, the flow table, and both under traffic.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod adversary;
mod change;
mod rules;
mod simulation;
mod udp;
mod world;
