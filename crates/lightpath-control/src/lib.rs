//! The control plane: configuration → model → desired tables, next hops and announcements.
//!
//! Nothing here knows BPF. What it decides is handed to a [`Dataplane`](crate) by the daemon.

pub mod model;
