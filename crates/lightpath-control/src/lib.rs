//! The control plane: configuration → model → desired tables, next hops and announcements.
//!
//! Nothing here knows BPF. What it decides is handed to a [`Dataplane`](crate) by the daemon.

pub mod config;
pub mod hops;
pub mod host;
pub mod maglev;
pub mod model;
mod netlink;
#[cfg(test)]
mod testnet;
