//! Ports of a service, and the prefixes that stand for them in the directory.

use std::ops::RangeInclusive;

/// Which ports a service has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// One.
    One(u16),
    /// From the first to the last, both included.
    Range(RangeInclusive<u16>),
    /// Every one.
    Any,
}

impl From<u16> for Ports {
    fn from(port: u16) -> Self {
        Self::One(port)
    }
}

impl From<RangeInclusive<u16>> for Ports {
    fn from(range: RangeInclusive<u16>) -> Self {
        Self::Range(range)
    }
}

/// The ports that share the first `bits` bits with `port`; like a route, 16 bits are one port and 0 are all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The first of them.
    pub port: u16,
    /// How many bits are shared.
    pub bits: u32,
}

impl Ports {
    /// As few prefixes as make up the ports, from the lowest port on.
    #[must_use]
    pub fn prefixes(&self) -> Vec<Prefix> {
        let range = match self {
            Self::One(port) => *port..=*port,
            Self::Range(range) => range.clone(),
            Self::Any => 0..=u16::MAX,
        };
        let (mut next, end) = (u32::from(*range.start()), u32::from(*range.end()) + 1);
        let mut prefixes = Vec::new();
        while next < end {
            // The largest block that starts here: as aligned as its start, and not beyond the end.
            let aligned = if next == 0 { 16 } else { next.trailing_zeros() };
            let size = aligned.min((end - next).ilog2());
            let port = u16::try_from(next).expect("below 65,536");
            prefixes.push(Prefix { port, bits: 16 - size });
            next += 1 << size;
        }
        prefixes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As "first port/bits".
    fn written(ports: impl Into<Ports>) -> Vec<String> {
        let prefixes = ports.into().prefixes();
        prefixes.iter().map(|prefix| format!("{}/{}", prefix.port, prefix.bits)).collect()
    }

    #[test]
    fn a_port_is_one_prefix_and_so_is_every_port() {
        assert_eq!(written(80), ["80/16"]);
        assert_eq!(written(Ports::Any), ["0/0"]);
        assert_eq!(written(8192..=16383), ["8192/3"]);
    }

    #[test]
    fn a_range_is_made_of_aligned_blocks() {
        assert_eq!(written(8000..=8999), ["8000/10", "8064/9", "8192/7", "8704/8", "8960/11", "8992/13"]);
        assert_eq!(written(1..=3), ["1/16", "2/15"]);
        assert_eq!(written(65_535..=65_535), ["65535/16"]);
    }

    #[test]
    fn blocks_cover_the_range_and_nothing_else() {
        for (first, last) in [(0, 0), (1, 65_534), (0, 65_534), (1, 65_535), (1000, 1999), (32_767, 32_768)] {
            let mut covered = Vec::new();
            for prefix in Ports::from(first..=last).prefixes() {
                let start = u32::from(prefix.port);
                covered.extend(start..start + (1 << (16 - prefix.bits)));
            }
            assert_eq!(covered, (u32::from(first)..=u32::from(last)).collect::<Vec<_>>());
        }
    }
}
