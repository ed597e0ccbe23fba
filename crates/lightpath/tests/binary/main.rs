//! The real binary, as operators run it: in networks of its own, with real software on the other side.
//!
//! Needs root and the programs that `scripts/setup --test` installs. Every test has network namespaces, a BPF file system
//! and directories of its own, which the kernel takes back however the test ends.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod bench;
mod capture;
mod cli;
mod common;
mod daemon;
mod decap;
mod demo;
mod devices;
mod doctor;
mod drops;
mod events;
mod explain;
mod guides;
mod metrics;
mod page;
mod prometheus;
mod quic;
mod scenes_empty;
mod scenes_fullnat;
mod scenes_http;
mod scenes_iperf;
mod scenes_tunnels;
mod scenes_udp;
mod status;
mod top;
