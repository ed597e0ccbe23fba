//! The compiled BPF programs, part of this binary.

use std::sync::OnceLock;

use aya::include_bytes_aligned;
use lightpath_core::Stage;

/// The ELF object with the packet path.
static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lightpath-ebpf.o"));

/// Another one that was given in its place.
static GIVEN: OnceLock<Vec<u8>> = OnceLock::new();

/// The ELF object with the packet path that this process loads.
pub fn object() -> &'static [u8] {
    GIVEN.get().map_or(OBJECT, Vec::as_slice)
}

/// Has this process load another build of the packet path than its own, for those who work on it. Only the first call counts.
pub fn use_object(object: Vec<u8>) {
    GIVEN.get_or_init(|| object);
}

/// Name of the load balancer in [`OBJECT`].
pub(crate) const BALANCER: &str = "lightpath";
/// Name in [`OBJECT`] of a stage that it goes on to.
pub(crate) const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Slow => "lightpath_slow",
        Stage::Icmp => "lightpath_icmp",
        Stage::Session => "lightpath_session",
        Stage::Opening => "lightpath_opening",
        Stage::Answer => "lightpath_answer",
        Stage::SessionError => "lightpath_session_error",
    }
}

/// Name of the map by which it does.
pub(crate) const STAGES: &str = "STAGES";
/// Name of the program that hands every packet to the kernel, in [`OBJECT`].
pub(crate) const PASS: &str = "lightpath_pass";

/// The ELF object with what measures.
pub(crate) static BENCH_OBJECT: &[u8] =
    include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lightpath-bench-ebpf.o"));

/// The ELF object with the other end of tunnels.
pub(crate) static DECAP_OBJECT: &[u8] =
    include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lightpath-decap-ebpf.o"));

/// Name of the program in [`DECAP_OBJECT`].
pub(crate) const DECAP: &str = "lightpath_decap";

/// The ELF object with the way of health checks through the data plane.
pub(crate) static CHECK_OBJECT: &[u8] =
    include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lightpath-check-ebpf.o"));
/// The ELF object with the packet path while packets are copied.
pub(crate) static CAPTURE_OBJECT: &[u8] =
    include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lightpath-capture-ebpf.o"));

/// Name of the program in [`CAPTURE_OBJECT`] that stands before the balancer.
pub(crate) const CAPTURE: &str = "lightpath_capture";

/// The ELF object with the packet path where packets are spread over CPUs.
pub(crate) static SPREAD_OBJECT: &[u8] =
    include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lightpath-spread-ebpf.o"));

/// Name of the program in [`SPREAD_OBJECT`] that gives packets to CPUs.
pub(crate) const SPREAD: &str = "lightpath_spread";
