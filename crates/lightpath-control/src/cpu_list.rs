//! Lists of CPUs as the kernel reads and writes them: `0-3,8`.

use std::collections::BTreeSet;
use std::fmt::Write;

/// The most numbers that a list may stand for: one of billions is a mistake, and would not fit into memory.
const MOST: u32 = 1 << 16;

/// The numbers of a list, which may be of none; `None` if it is no list.
#[must_use]
pub fn parse(list: &str) -> Option<BTreeSet<u32>> {
    let list = list.trim();
    if list.is_empty() {
        return Some(BTreeSet::new());
    }
    let mut numbers = BTreeSet::new();
    for part in list.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (number(from)?, number(to)?);
        if from > to || to >= MOST {
            return None;
        }
        numbers.extend(from..=to);
    }
    Some(numbers)
}

/// In decimal digits and nothing else.
fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The list of these numbers, as short as can be.
#[must_use]
pub fn write(numbers: &BTreeSet<u32>) -> String {
    let mut text = String::new();
    let mut rest = numbers.iter().copied().peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while let Some(next) = rest.next_if(|next| *next == last + 1) {
            last = next;
        }
        let comma = if text.is_empty() { "" } else { "," };
        let written = if first == last {
            write!(text, "{comma}{first}")
        } else {
            write!(text, "{comma}{first}-{last}")
        };
        debug_assert!(written.is_ok(), "a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_ranges_and_numbers() {
        assert_eq!(parse("0-3,8\n"), Some(BTreeSet::from([0, 1, 2, 3, 8])));
        assert_eq!(parse("\n"), Some(BTreeSet::new()));
        for wrong in ["x", "3-1", "1,", "-1", "+1", "0-70000", "1-2-3"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for list in ["", "0", "0-3", "0-3,8", "1,3,5-7"] {
            assert_eq!(write(&parse(list).unwrap()), list);
        }
    }
}
