//! A set of CPUs.

use std::fmt;

/// CPUs by their numbers, which are below [`MOST`](Self::MOST). Plain data.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Cpus([u64; Self::WORDS as usize]);

impl Cpus {
    /// How many there can be.
    pub const MOST: u32 = 1024;
    pub(crate) const WORDS: u32 = Self::MOST / u64::BITS;

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Their numbers, the lowest first.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let words = self.0;
        (0..Self::MOST).filter(move |cpu| words[*cpu as usize / 64] & 1 << (cpu % 64) != 0)
    }

    pub(crate) fn words(&self) -> &[u64; Self::WORDS as usize] {
        &self.0
    }

    pub(crate) fn from_words(words: [u64; Self::WORDS as usize]) -> Self {
        Self(words)
    }
}

/// Numbers beyond the last possible are left out.
impl FromIterator<u32> for Cpus {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut cpus = Self::default();
        for cpu in numbers {
            if let Some(word) = cpus.0.get_mut(cpu as usize / 64) {
                *word |= 1 << (cpu % 64);
            }
        }
        cpus
    }
}

impl fmt::Debug for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_gives_back_its_numbers_in_order() {
        let cpus: Cpus = [63, 0, 64, 1023, 0, 1024].into_iter().collect();
        assert_eq!(cpus.iter().collect::<Vec<_>>(), [0, 63, 64, 1023]);
        assert_eq!(Cpus::from_words(*cpus.words()), cpus);
        assert!(!cpus.is_empty() && Cpus::default().is_empty());
    }
}
