//! The directory as memory: how a line changes while packets are looked up in it.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use lightpath_abi::Entry;
use lightpath_core::directory::Lines;
use zerocopy::transmute;

use crate::memory::Memory;

const WORDS: usize = size_of::<Entry>() / size_of::<u64>();

/// The word with the tag (and the service), which makes a line findable.
const TAG: usize = std::mem::offset_of!(Entry, tag) / size_of::<u64>();

/// The directory map's lines.
#[derive(Debug)]
pub(crate) struct DirectoryLines<'a>(pub(crate) &'a Memory);

impl DirectoryLines<'_> {
    /// All lines with an entry, with their positions.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, Entry)> {
        let positions = 0..u32::try_from(self.0.words().len() / WORDS).unwrap_or(u32::MAX);
        let lines = positions.map(|position| (position, self.line(position)));
        lines.filter(|(_, line)| line.tag.role().is_some())
    }

    fn words(&self, position: u32) -> &[AtomicU64] {
        let start = position as usize * WORDS;
        self.0.words().get(start..start + WORDS).unwrap_or(&[])
    }
}

impl Lines for DirectoryLines<'_> {
    fn line(&self, position: u32) -> Entry {
        transmute!(self.0.read::<WORDS>(position as usize * WORDS))
    }

    fn replace(&mut self, position: u32, entry: &Entry) {
        let old = self.line(position);
        let new: [u64; WORDS] = transmute!(*entry);
        let words = self.words(position);
        // A line that keeps its address and tag changes word by word, so that it can be found throughout: its slots, the one
        // thing that changes while it is in use, are one word. Any other line cannot be found until all of it is there.
        let stays = old.tag == entry.tag && old.address == entry.address;
        if !stays {
            if let Some(word) = words.get(TAG) {
                word.store(0, Ordering::Release);
            }
            fence(Ordering::SeqCst);
        }
        for (index, (word, value)) in words.iter().zip(new).enumerate() {
            if index != TAG {
                word.store(value, Ordering::Release);
            }
        }
        if let (Some(word), Some(value)) = (words.get(TAG), new.get(TAG)) {
            word.store(*value, Ordering::Release);
        }
    }
}
