//! Compare-and-swap on a word of a map.
//!
//! The instruction is in version 3 of the set (kernel commit 5ffa25502b5a, Linux 5.12), but Rust's atomics do not offer it for BPF.

use core::arch::asm;

use lightpath_abi::Word;

/// Changes a word from `old` to `new`; whether it was `old`.
#[inline(always)]
pub fn compare_and_swap(word: &Word, old: u64, new: u64) -> bool {
    let found: u64;
    // SAFETY: the word is eight aligned bytes that live as long as the reference, and may be changed through it by anyone.
    #[expect(unsafe_code, reason = "there is no safe way to this instruction")]
    unsafe {
        asm!(
            "r0 = cmpxchg_64({word} + 0, r0, {new})",
            word = in(reg) word.as_ptr(),
            new = in(reg) new,
            inout("r0") old => found,
            options(nostack),
        );
    }
    found == old
}
