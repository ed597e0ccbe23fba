//! The clock that the packet path and the daemon share.

use nix::time::{ClockId, clock_gettime};

/// Seconds of the clock that the packet path reads (`bpf_ktime_get_coarse_ns`).
#[expect(clippy::cast_possible_truncation, reason = "a host is up for less than 136 years")]
pub(crate) fn monotonic_seconds() -> u32 {
    // The clock cannot fail; what counts of its seconds are differences.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| time.tv_sec().cast_unsigned() as u32)
}
