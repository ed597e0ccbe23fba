//! The clock that the packet path and the daemon share.

use nix::libc;
use nix::time::{ClockId, clock_gettime};

/// Seconds of the clock that the packet path reads (`bpf_ktime_get_coarse_ns`).
#[expect(clippy::cast_possible_truncation, reason = "a host is up for less than 136 years")]
pub(crate) fn monotonic_seconds() -> u32 {
    // The clock cannot fail; what counts of its seconds are differences.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| time.tv_sec().cast_unsigned() as u32)
}

/// Whether something keeps this host's wall clock in step with the world's (adjtimex(2)).
///
/// Nothing that decides about packets reads that clock, but logs of several hosts are compared by it.
#[must_use]
pub fn is_synchronised() -> bool {
    // All zeros: `modes` of 0 asks and changes nothing.
    let mut state: libc::timex = zeroed_timex();
    #[expect(unsafe_code, reason = "adjtimex has no safe wrapper")]
    // SAFETY: `state` is a whole `timex`, live and writable, and the kernel writes nothing beyond it.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    answer >= 0 && answer != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0
}

fn zeroed_timex() -> libc::timex {
    #[expect(unsafe_code, reason = "libc's type has private padding, which only zeroed() can make")]
    // SAFETY: a `timex` is integers only, for which all zeros is a value.
    unsafe {
        std::mem::zeroed()
    }
}
