//! The control plane: configuration → model → desired tables, next hops and announcements.
//!
//! Nothing here knows how BPF maps are written. What is decided goes through [`reconcile::Dataplane`], a trait.

pub mod config;
pub mod cpu_list;
pub mod difference;
pub mod health;
pub mod hops;
pub mod host;
pub mod maglev;
pub mod model;
pub mod overrides;
pub mod plan;
pub mod reconcile;
pub mod transitions;

mod leaving;
mod netlink;
mod numbering;
mod persist;
mod ports;
mod sources;
#[cfg(test)]
mod testnet;
