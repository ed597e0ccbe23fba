//! The BPF object in the binary, taken apart: ELF-64, little endian (System V ABI, "Symbol Table" and "Sections").

use super::{Balancer, LIGHTPATH};

const SYMTAB: u32 = 2;
const SYMBOL: usize = 24;

/// The ELF object with the packet path.
#[derive(Clone, Debug)]
pub(crate) struct BpfObject(pub(crate) Vec<u8>);

impl BpfObject {
    /// What `lightpath` loads.
    pub(crate) fn of(balancer: &Balancer) -> Self {
        Self(balancer.ns.command(LIGHTPATH).arg("bpf-object").output().unwrap().stdout)
    }

    /// The same code, but not the same build: there is a byte after the end of the object.
    pub(crate) fn of_another_build(&self) -> Vec<u8> {
        [self.0.as_slice(), &[0]].concat()
    }

    /// Has a map made with so many entries, unless the loader knows better.
    pub(crate) fn set_entries(&mut self, map: &str, entries: u32) {
        // The fourth word of `struct bpf_map_def`, behind type and sizes of key and value.
        let symbol = self.symbol(map);
        let at = self.long(self.section(self.half(symbol + 6)) + 0x18) + self.long(symbol + 8) + 12;
        self.0[at..at + 4].copy_from_slice(&entries.to_le_bytes());
    }

    /// Where a symbol of this name is in the symbol table.
    pub(crate) fn symbol(&self, name: &str) -> usize {
        let table = (0..self.half(0x3c)).map(|index| self.section(index));
        let table = table.into_iter().find(|at| self.word(at + 4) == SYMTAB).unwrap();
        let strings = self.long(self.section(self.word(table + 0x28) as usize) + 0x18);
        let (start, size) = (self.long(table + 0x18), self.long(table + 0x20));
        let named = |at: &usize| {
            let known = &self.0[strings + self.word(*at) as usize..];
            known.starts_with(name.as_bytes()) && known[name.len()] == 0
        };
        (start..start + size).step_by(SYMBOL).find(named).unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// The header of a section.
    fn section(&self, index: usize) -> usize {
        self.long(0x28) + index * self.half(0x3a)
    }

    fn half(&self, at: usize) -> usize {
        u16::from_le_bytes(self.0[at..at + 2].try_into().unwrap()).into()
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    fn long(&self, at: usize) -> usize {
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap()).try_into().unwrap()
    }
}
