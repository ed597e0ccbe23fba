//! The data plane in the kernel: the program against the packet path on the host, and the handle that fills and attaches it.
//!
//! Needs root. Every test has a network namespace and a BPF file system of its own, which the kernel takes back.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod attach;
mod capture;
mod checks;
mod decap;
mod features;
mod lab;
mod migrate;
mod moving;
mod packets;
mod refuse;
mod reopen;
mod spread;
mod tables;
mod tally;
