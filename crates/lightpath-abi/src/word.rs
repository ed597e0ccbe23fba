//! A 64-bit word of a map that packets on several CPUs read and write.

#[cfg(target_arch = "bpf")]
use core::cell::Cell;
#[cfg(not(target_arch = "bpf"))]
use core::sync::atomic::{AtomicU64, Ordering};

/// A word that is read and written whole, by whoever holds a reference to it.
///
/// LLVM knows no atomic loads and stores for version 3 of the BPF instruction set, where any aligned one is whole; elsewhere it
/// is an atomic. Neither orders what is stored to other words.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Word(#[cfg(target_arch = "bpf")] Cell<u64>, #[cfg(not(target_arch = "bpf"))] AtomicU64);

const _: () = assert!(size_of::<Word>() == 8);

impl Word {
    /// A word of this value.
    #[inline(always)]
    #[must_use]
    pub const fn new(value: u64) -> Self {
        #[cfg(target_arch = "bpf")]
        return Self(Cell::new(value));
        #[cfg(not(target_arch = "bpf"))]
        return Self(AtomicU64::new(value));
    }

    /// Its value.
    #[inline(always)]
    #[must_use]
    pub fn load(&self) -> u64 {
        #[cfg(target_arch = "bpf")]
        return self.0.get();
        #[cfg(not(target_arch = "bpf"))]
        return self.0.load(Ordering::Relaxed);
    }

    /// Changes its value.
    #[inline(always)]
    pub fn store(&self, value: u64) {
        #[cfg(target_arch = "bpf")]
        self.0.set(value);
        #[cfg(not(target_arch = "bpf"))]
        self.0.store(value, Ordering::Relaxed);
    }

    /// Changes its value from `old` to `new`; whether it was `old`.
    #[cfg(not(target_arch = "bpf"))]
    #[must_use]
    pub fn exchange(&self, old: u64, new: u64) -> bool {
        self.0.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Where its value is, for the BPF program's compare-and-swap.
    #[cfg(target_arch = "bpf")]
    #[inline(always)]
    #[must_use]
    pub const fn as_ptr(&self) -> *mut u64 {
        self.0.as_ptr()
    }
}

impl Clone for Word {
    fn clone(&self) -> Self {
        Self::new(self.load())
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.load() == other.load()
    }
}

impl Eq for Word {}
