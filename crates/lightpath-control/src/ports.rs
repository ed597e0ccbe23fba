//! Ports as the packet path searches for them: by prefix, longest first, like a route.

use crate::model::Ports;

/// Bits of a port number.
pub(crate) const PORT_BITS: u32 = 16;

/// The ports that share their first `length` bits with `port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) port: u16,
    pub(crate) length: u32,
}

/// The fewest prefixes that cover exactly these ports: 1 for one port, at most 30 for a range.
pub(crate) fn prefixes(ports: Ports) -> Vec<Prefix> {
    let (first, last) = ports.bounds();
    let (mut next, end) = (u32::from(first), u32::from(last) + 1);
    let mut prefixes = Vec::new();
    while next < end {
        // The largest block that is aligned here and does not reach beyond the end.
        let aligned = next.trailing_zeros().min(PORT_BITS);
        let fits = (end - next).ilog2();
        let bits = aligned.min(fits);
        let port = u16::try_from(next).unwrap_or(u16::MAX);
        prefixes.push(Prefix { port, length: PORT_BITS - bits });
        next += 1 << bits;
    }
    prefixes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn covers(prefix: Prefix, port: u16) -> bool {
        let shift = PORT_BITS - prefix.length;
        u32::from(prefix.port) >> shift == u32::from(port) >> shift
    }

    #[test]
    fn one_port_is_one_full_prefix() {
        assert_eq!(prefixes(Ports::One(443)), [Prefix { port: 443, length: 16 }]);
    }

    #[test]
    fn every_port_is_the_empty_prefix() {
        assert_eq!(prefixes(Ports::Any), [Prefix { port: 0, length: 0 }]);
    }

    proptest! {
        #[test]
        fn a_range_is_covered_once_and_nothing_else_is(a: u16, b: u16, probe: u16) {
            let (first, last) = (a.min(b), a.max(b));
            let found = prefixes(Ports::Range(first, last));
            prop_assert!(found.len() <= 30);
            for port in [first, last, first.saturating_sub(1), last.saturating_add(1), probe] {
                let times = found.iter().filter(|prefix| covers(**prefix, port)).count();
                prop_assert_eq!(times, usize::from((first..=last).contains(&port)), "port {}", port);
            }
        }
    }
}
