//! What is called instead of inlined.
//!
//! An exported function is a global one to the kernel: the verifier walks it once, whoever calls it, and knows nothing of its
//! callers (kernel commit 51c39bb1d5d1). So it takes a pointer that may be null and answers with a number.

use lightpath_abi::{BackendNumber, Pointer};
use lightpath_core::directory::RangeQuery;
use lightpath_core::{Passing, Sighting};

use crate::tables::MapTables;

/// The backend of a packet whose slot is moving.
#[inline(always)]
pub fn follow(packet: &Sighting) -> BackendNumber {
    lightpath_follow(packet) as BackendNumber
}

#[unsafe(no_mangle)]
#[inline(never)]
#[expect(unsafe_code, reason = "the verifier finds global functions by their unmangled names")]
extern "C" fn lightpath_follow(packet: *const Sighting) -> u32 {
    // SAFETY: the verifier has the caller prove that it points to a whole value, or to nothing.
    match unsafe { packet.as_ref() } {
        Some(packet) => u32::from(lightpath_core::follow(packet, &MapTables)),
        None => 0,
    }
}

/// The position of the directory's entry for a range of ports.
#[inline(always)]
pub fn search_ranges(query: &RangeQuery) -> Option<u32> {
    lightpath_search_ranges(query).checked_sub(1)
}

/// The position plus one; 0 is none.
#[unsafe(no_mangle)]
#[inline(never)]
#[expect(unsafe_code, reason = "the verifier finds global functions by their unmangled names")]
extern "C" fn lightpath_search_ranges(query: *const RangeQuery) -> u32 {
    // SAFETY: as above.
    let query = unsafe { query.as_ref() };
    query
        .and_then(|query| lightpath_core::directory::search_ranges(query, &MapTables))
        .map_or(0, |position| position + 1)
}

/// Remembers a connection made straight to a backend.
#[inline(always)]
pub fn notice(packet: &Passing) {
    lightpath_notice(packet);
}

/// Always 0: the kernel wants an answer.
#[unsafe(no_mangle)]
#[inline(never)]
#[expect(unsafe_code, reason = "the verifier finds global functions by their unmangled names")]
extern "C" fn lightpath_notice(packet: *const Passing) -> u32 {
    // SAFETY: as above.
    if let Some(packet) = unsafe { packet.as_ref() } {
        lightpath_core::notice(packet, &MapTables);
    }
    0
}

/// Whether a connection made straight to a backend was remembered.
#[inline(always)]
pub fn is_noticed(key: u64) -> bool {
    lightpath_is_noticed(key) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
#[expect(unsafe_code, reason = "the verifier finds global functions by their unmangled names")]
extern "C" fn lightpath_is_noticed(key: u64) -> u32 {
    u32::from(lightpath_core::is_noticed(key, &MapTables))
}

/// Whether a pointer of the sessions' index leads to one that lives.
#[inline(always)]
pub fn leads(pointer: Pointer) -> bool {
    lightpath_leads(pointer.to_word()) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
#[expect(unsafe_code, reason = "the verifier finds global functions by their unmangled names")]
extern "C" fn lightpath_leads(pointer: u64) -> u32 {
    u32::from(lightpath_core::leads(Pointer::from_word(pointer), &MapTables))
}

/// Takes the place of a session, if it is free.
#[inline(always)]
pub fn take(key: u32) -> bool {
    lightpath_take(key) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
#[expect(unsafe_code, reason = "the verifier finds global functions by their unmangled names")]
extern "C" fn lightpath_take(key: u32) -> u32 {
    u32::from(lightpath_core::take(key, &MapTables))
}

/// Whether an address, port and protocol have to do with sessions.
#[inline(always)]
pub fn has_session(query: &RangeQuery) -> bool {
    lightpath_has_session(query) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
#[expect(unsafe_code, reason = "the verifier finds global functions by their unmangled names")]
extern "C" fn lightpath_has_session(query: *const RangeQuery) -> u32 {
    // SAFETY: as above.
    match unsafe { query.as_ref() } {
        Some(query) => u32::from(lightpath_core::has_session(query, &MapTables)),
        None => 0,
    }
}
