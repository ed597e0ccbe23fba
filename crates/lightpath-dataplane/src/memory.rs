//! A BPF array map as memory of this process: what is stored here is what the next packet sees.

#![expect(
    unsafe_code,
    reason = "a mapping of kernel memory comes as a raw pointer, and the allocator is a foreign function"
)]

use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// The values of an array map, as 64-bit words that the kernel reads while they are written.
#[derive(Debug)]
pub(crate) struct Memory {
    words: NonNull<AtomicU64>,
    count: usize,
    bytes: NonZeroUsize,
}

impl Memory {
    /// Maps the values of an array map created with `BPF_F_MMAPABLE`.
    pub(crate) fn map(map: impl AsFd, entries: u32, entry_size: usize) -> nix::Result<Self> {
        let used = entries as usize * entry_size;
        let bytes = NonZeroUsize::new(used).ok_or(nix::Error::EINVAL)?;
        // SAFETY: a fresh mapping at an address of the kernel's choice; it overlaps nothing of this process.
        let start = unsafe {
            mmap(None, bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, map, 0)
        }?;
        Ok(Self { words: start.cast(), count: used / size_of::<u64>(), bytes })
    }

    /// All words.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, `count` words long and lives as long as `self`; the kernel and other processes
        // change it at any time, which is what atomics allow for.
        unsafe { slice::from_raw_parts(self.words.as_ptr(), self.count) }
    }

    /// The `N` words from index `at` on; zeros beyond the end.
    pub(crate) fn read<const N: usize>(&self, at: usize) -> [u64; N] {
        let mut value = [0; N];
        for (word, source) in value.iter_mut().zip(self.words().iter().skip(at)) {
            *word = source.load(Ordering::Acquire);
        }
        value
    }

    /// Stores a word, if it differs. Words stored earlier are seen by whoever sees this one.
    pub(crate) fn write(&self, at: usize, word: u64) -> bool {
        let Some(place) = self.words().get(at) else {
            return false;
        };
        if place.load(Ordering::Relaxed) == word {
            return false;
        }
        place.store(word, Ordering::Release);
        true
    }
}

impl Memory {
    /// Changes a word from `old` to `new`, unless a packet was faster.
    pub(crate) fn exchange(&self, at: usize, old: u64, new: u64) -> bool {
        let exchange =
            |word: &AtomicU64| word.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        self.words().get(at).is_some_and(exchange)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping made in `map`; every reference into it borrowed `self`.
        let unmapped = unsafe { munmap(self.words.cast(), self.bytes.get()) };
        if let Err(error) = unmapped {
            tracing::error!(%error, "a map stays in memory");
        }
    }
}

/// Gives memory that was freed back to the system, at once. Loading takes twenty megabytes for a moment and building tables a
/// few, of which the allocator would keep some for ever.
pub fn release_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number, touches only memory that nothing refers to, and may be called from any thread.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

// SAFETY: a mapping belongs to the process, not to a thread, and all access is atomic.
unsafe impl Send for Memory {}
