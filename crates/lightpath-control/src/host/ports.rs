//! Ports that this host does not use for connections of its own.

use std::fmt;
use std::ops::RangeInclusive;

use super::{Error, sysctl};

/// The ports from which this host's own connections come, of both families (ip_local_port_range of ip-sysctl.rst).
const EPHEMERAL: &str = "net/ipv4/ip_local_port_range";

/// Ports that the kernel leaves out of them (ip_local_reserved_ports of ip-sysctl.rst).
const RESERVED: &str = "net/ipv4/ip_local_reserved_ports";

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

/// Ports that `fullnat` and this host's own connections may both use. If they do, for the same backend, replies to this host's
/// connection go to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedPorts {
    /// The ports of `fullnat`.
    ports: RangeInclusive<u16>,
    /// Those among them that the kernel may give to a connection.
    shared: RangeInclusive<u16>,
}

impl SharedPorts {
    /// The ports of `fullnat`.
    #[must_use]
    pub fn ports(&self) -> &RangeInclusive<u16> {
        &self.ports
    }

    /// Those among them that the kernel may give to a connection of this host.
    #[must_use]
    pub fn shared(&self) -> &RangeInclusive<u16> {
        &self.shared
    }
}

impl fmt::Display for SharedPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [ports, shared] =
            [&self.ports, &self.shared].map(|ports| format!("{}-{}", ports.start(), ports.end()));
        write!(
            f,
            "snat_ports {ports}: this host's own connections come from {shared} too, and replies to one from the port of a flow to \
             the same backend would go to a client; choose other ports, or reserve them: \
             sysctl -w net.ipv4.ip_local_reserved_ports={shared}"
        )
    }
}

/// Whether the kernel may give ports that `fullnat` sends from to this host's own connections.
pub fn shared_with_host(ports: &RangeInclusive<u16>) -> Result<Option<SharedPorts>, Error> {
    let reserved = sysctl::read(RESERVED)?;
    let shared = parse(&sysctl::read(EPHEMERAL)?).and_then(|own| shared(ports, &own, &reserved));
    Ok(shared.map(|shared| SharedPorts { ports: ports.clone(), shared }))
}

/// The ports that are in both ranges, if any is not reserved.
fn shared(
    ports: &RangeInclusive<u16>,
    own: &RangeInclusive<u16>,
    reserved: &str,
) -> Option<RangeInclusive<u16>> {
    let shared = *ports.start().max(own.start())..=*ports.end().min(own.end());
    let reserved: Vec<RangeInclusive<u16>> = reserved
        .split(',')
        .filter_map(|part| {
            let (first, last) = part.trim().split_once('-').unwrap_or((part.trim(), part.trim()));
            Some(first.parse().ok()?..=last.parse().ok()?)
        })
        .collect();
    let is_free = |port: u16| !reserved.iter().any(|range| range.contains(&port));
    shared.clone().any(is_free).then_some(shared)
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
    fn ports_of_the_hosts_own_are_shared_unless_they_are_reserved() {
        let rows = [
            (1024..=32767, "", None),
            (61000..=65535, "", None),
            (30000..=40000, "", Some(32768..=40000)),
            (30000..=40000, "8080,32768-40000", None),
            (30000..=40000, "32768-39999", Some(32768..=40000)),
            (50000..=50001, "50000,50001", None),
            (1..=65535, "", Some(32768..=60999)),
        ];
        for (ports, reserved, expected) in rows {
            assert_eq!(shared(&ports, &(32768..=60999), reserved), expected, "{ports:?} beside {reserved:?}");
        }
    }

    #[test]
    fn this_host_says_what_it_uses() {
        let ports = ports_for_snat().unwrap();
        let own = parse(&sysctl::read(EPHEMERAL).unwrap()).unwrap();
        assert!(!own.contains(ports.start()) && !own.contains(ports.end()), "{ports:?} beside {own:?}");
    }
}
