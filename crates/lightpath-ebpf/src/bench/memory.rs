//! Numbers in a packet, or in the template of one.

/// Copies a number to a packet from its template.
#[inline(always)]
pub fn copy<T: Copy>(start: usize, template: usize, offset: usize) {
    put::<T>(start, offset, get(template, offset));
}

/// Stores a number within a checked part of memory.
#[inline(always)]
pub fn put<T>(start: usize, offset: usize, value: T) {
    // SAFETY: the caller found the bytes at these constant offsets to be within the packet or the template.
    #[expect(unsafe_code, reason = "packet memory is raw")]
    unsafe {
        ((start + offset) as *mut T).write_unaligned(value);
    }
}

/// Loads a number from within a checked part of memory.
#[inline(always)]
pub fn get<T: Copy>(start: usize, offset: usize) -> T {
    // SAFETY: as in `put`; every byte pattern is a number.
    #[expect(unsafe_code, reason = "packet memory is raw")]
    unsafe {
        ((start + offset) as *const T).read_unaligned()
    }
}
