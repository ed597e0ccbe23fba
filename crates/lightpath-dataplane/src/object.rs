//! The compiled BPF program, part of this binary.

use aya::include_bytes_aligned;

/// The ELF object that the build script made of lightpath-ebpf.
pub(crate) static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lightpath.bpf.o"));

/// Name of the load balancer in the object.
pub(crate) const BALANCER: &str = "lightpath";
/// Name of the program that hands every packet to the kernel.
pub(crate) const PASS: &str = "lightpath_pass";
