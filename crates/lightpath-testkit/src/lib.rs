//! What the tests of the packet path are written in: packets that read like table rows, small configurations as plain
//! tables, and one table of cases that both the host and the kernel have to get right.
//!
//! ```
//! use lightpath_testkit::packet::{SYN, tcp};
//!
//! let packet = tcp("198.51.100.10:4000", "203.0.113.10:80").flags(SYN).vlan(5).ttl(1).build();
//! lightpath_testkit::checksums_are_right(&packet).unwrap();
//! ```
//!
//! Functions here panic where a test would: on an address that does not parse, or on packets that differ.

#![expect(clippy::missing_panics_doc, reason = "tests fail by panicking")]

mod build;
pub mod cases;
mod checksums;
pub mod decap;
pub mod node;
mod outcome;
pub mod packet;
mod ports;
pub mod properties;
pub mod random;
mod setup;
mod show;

pub use checksums::{checksums_are_right, internet_checksum};
pub use outcome::{Action, action};
pub use ports::{Ports, Prefix};
pub use setup::{Contents, SOURCES, Service, Setup, service};
pub use show::{assert_packets_equal, describe, difference};
