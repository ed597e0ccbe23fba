//! Ports that this host does not use for connections of its own.

use std::ops::RangeInclusive;

use super::{Error, sysctl};

/// The ports from which this host's own connections come, of both families (ip_local_port_range of ip-sysctl.rst).
const EPHEMERAL: &str = "net/ipv4/ip_local_port_range";

/// Below are the ports of well-known services (RFC 6335, section 6), of which this host may run some.
const LOWEST: u16 = 1024;

/// The ports that `fullnat` sends from when the configuration does not say: clear of those that the kernel gives to this
/// host's own connections, and of well-known services; of the parts below and above them the larger one.
///
/// An error when the kernel would not tell, or has them all.
pub fn ports_for_snat() -> Result<RangeInclusive<u16>, Error> {
    let written = sysctl::read(EPHEMERAL)?;
    parse(&written).and_then(clear_of).ok_or(Error::NoPorts { ephemeral: written })
}

fn parse(written: &str) -> Option<RangeInclusive<u16>> {
    let mut bounds = written.split_ascii_whitespace().map(str::parse);
    let (first, last) = (bounds.next()?.ok()?, bounds.next()?.ok()?);
    Some(first..=last)
}

fn clear_of(ephemeral: RangeInclusive<u16>) -> Option<RangeInclusive<u16>> {
    let below = ephemeral.start().checked_sub(1).map(|last| LOWEST..=last);
    let above = ephemeral.end().checked_add(1).map(|first| first.max(LOWEST)..=u16::MAX);
    below.into_iter().chain(above).filter(|part| !part.is_empty()).max_by_key(ExactSizeIterator::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_part_beside_the_hosts_own_ports_is_taken() {
        let rows = [
            // The kernel's default.
            ("32768\t60999", Some(1024..=32767)),
            ("1024 9999", Some(10_000..=65535)),
            ("10000 65535", Some(1024..=9999)),
            ("1 80", Some(1024..=65535)),
            ("1024 65535", None),
            ("1 65535", None),
        ];
        for (written, expected) in rows {
            assert_eq!(parse(written).and_then(clear_of), expected, "{written}");
        }
    }

    #[test]
    fn this_host_says_what_it_uses() {
        let ports = ports_for_snat().unwrap();
        let own = parse(&sysctl::read(EPHEMERAL).unwrap()).unwrap();
        assert!(!own.contains(ports.start()) && !own.contains(ports.end()), "{ports:?} beside {own:?}");
    }
}
