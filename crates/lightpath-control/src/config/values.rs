//! Single values: from what is written to what the model holds.

mod cpus;
pub(super) mod health;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use ipnet::IpNet;

pub(super) use cpus::{queues, spread};

use super::diagnostic::Complaint;
use super::reader::Given;
use crate::maglev;
use crate::model::{Ports, ServerId};

/// One of a few words.
pub(super) fn one_of<T: Copy>(words: &[(&str, T)]) -> impl FnOnce(&Given<'_>) -> Result<T, Complaint> {
    move |given| {
        let written = given.string()?;
        let known = words.iter().find(|(word, _)| *word == written);
        known.map(|(_, value)| *value).ok_or_else(|| given.refused("is not known"))
    }
}

/// A name that Linux accepts for an interface (`dev_valid_name` in net/core/dev.c).
pub(super) fn interface(given: &Given<'_>) -> Result<String, Complaint> {
    let name = given.string()?;
    let valid = (1..=15).contains(&name.len())
        && !matches!(name, "." | "..")
        && !name.contains(|c: char| matches!(c, '/' | ':') || c.is_ascii_whitespace() || c == '\x0b');
    if valid {
        return Ok(name.to_owned());
    }
    let help = "write 1 to 15 bytes without \"/\", \":\" and white space";
    Err(given.refused_with("is not an interface name", help))
}

/// A seed for the flow hash.
pub(super) fn hash_seed(given: &Given<'_>) -> Result<String, Complaint> {
    match given.string()? {
        "" => Err(given.refused("is empty")),
        seed => Ok(seed.to_owned()),
    }
}

/// The name of a service.
pub(super) fn service_name(given: &Given<'_>) -> Result<String, Complaint> {
    let name = given.string()?;
    let of_allowed = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !of_allowed {
        return Err(given.refused("has other characters than a service name may have"));
    }
    if !(1..=63).contains(&name.len()) {
        return Err(given.refused("is not of 1 to 63 characters"));
    }
    Ok(name.to_owned())
}

/// An address that a packet can be sent to: a VIP's or a backend's.
pub(super) fn unicast_address(given: &Given<'_>) -> Result<IpAddr, Complaint> {
    let Ok(address) = given.string()?.parse::<IpAddr>() else {
        return Err(given.refused("is not an address"));
    };
    unicast(address, given)?;
    Ok(address)
}

/// A prefix of addresses that a packet can come from; one without a length is a single address.
pub(super) fn source_prefix(given: &Given<'_>) -> Result<IpNet, Complaint> {
    let written = given.string()?;
    let prefix = written.parse().or_else(|_| written.parse::<IpAddr>().map(IpNet::from));
    let Ok(prefix) = prefix else {
        return Err(given.refused("is neither a prefix nor an address"));
    };
    unicast(prefix.addr(), given)?;
    let whole = prefix.trunc();
    if whole != prefix {
        let help = format!("write \"{whole}\", or \"{}\" for the one address", prefix.addr());
        return Err(given.refused_with(&format!("has bits beyond its first {}", prefix.prefix_len()), help));
    }
    Ok(prefix)
}

fn unicast(address: IpAddr, given: &Given<'_>) -> Result<(), Complaint> {
    if let IpAddr::V6(address) = address
        && let Some(mapped) = address.to_ipv4_mapped()
    {
        return Err(given.refused_with("is IPv4-mapped IPv6", format!("write it as IPv4: \"{mapped}\"")));
    }
    let kind = match address {
        _ if address.is_unspecified() => "the unspecified address",
        _ if address.is_loopback() => "a loopback address",
        _ if address.is_multicast() => "a multicast address",
        IpAddr::V4(Ipv4Addr::BROADCAST) => "the broadcast address",
        IpAddr::V6(address) if Ipv6Addr::is_unicast_link_local(&address) => "a link-local address",
        _ => return Ok(()),
    };
    Err(given.refused(&format!("is {kind}")))
}

/// An address and port to listen on.
pub(super) fn socket(given: &Given<'_>) -> Result<SocketAddr, Complaint> {
    let Ok(socket) = given.string()?.parse::<SocketAddr>() else {
        return Err(given.refused("is not an address with a port"));
    };
    match socket {
        _ if socket.port() == 0 => Err(given.refused("is no port that could be found")),
        _ if socket.ip().is_multicast() => Err(given.refused("is a multicast address")),
        _ => Ok(socket),
    }
}

/// The path of a file, from the root: the daemon's directory is nobody's business.
pub(super) fn file(given: &Given<'_>) -> Result<PathBuf, Complaint> {
    let path = PathBuf::from(given.string()?);
    if path.is_absolute() { Ok(path) } else { Err(given.refused("is not an absolute path")) }
}

/// The port or ports of a service.
pub(super) fn ports(given: &Given<'_>) -> Result<Ports, Complaint> {
    if given.as_integer().is_some() {
        return port(given).map(Ports::One);
    }
    let written = given.string()?;
    if written == "any" {
        return Ok(Ports::Any);
    }
    if let Some(port) = port_number(written) {
        return Err(given.refused_with("is a string", format!("write the port without quotes: {port}")));
    }
    match bounds(written) {
        Some((first, last)) if first < last => Ok(Ports::Range(first, last)),
        Some((first, last)) if first == last => {
            Err(given.refused_with("is a single port", format!("write it as a number: {first}")))
        }
        Some((first, last)) => Err(ends_before_it_starts(first, last, given)),
        None => Err(given.refused("is neither a port nor a range of ports")),
    }
}

/// A range of ports, of which there may be one only.
pub(super) fn port_range(given: &Given<'_>) -> Result<RangeInclusive<u16>, Complaint> {
    match bounds(given.string()?) {
        Some((first, last)) if first <= last => Ok(first..=last),
        Some((first, last)) => Err(ends_before_it_starts(first, last, given)),
        None => Err(given.refused("is not a range of ports")),
    }
}

fn bounds(written: &str) -> Option<(u16, u16)> {
    let (first, last) = written.split_once('-')?;
    Some((port_number(first)?, port_number(last)?))
}

fn ends_before_it_starts(first: u16, last: u16, given: &Given<'_>) -> Complaint {
    given.refused_with("ends before it starts", format!("write \"{last}-{first}\""))
}

/// One port.
pub(super) fn port(given: &Given<'_>) -> Result<u16, Complaint> {
    let port = u16::try_from(given.integer()?).ok().filter(|port| *port > 0);
    port.ok_or_else(|| given.refused("is not a port"))
}

/// A weight.
pub(super) fn weight(given: &Given<'_>) -> Result<u16, Complaint> {
    u16::try_from(given.integer()?).map_err(|_| given.refused("is not a weight"))
}

/// An integer within bounds.
pub(super) fn number(bounds: RangeInclusive<u8>) -> impl FnOnce(&Given<'_>) -> Result<u8, Complaint> {
    move |given| {
        let number = u8::try_from(given.integer()?).ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| given.refused("is out of bounds"))
    }
}

/// A server ID in hex.
pub(super) fn server_id(given: &Given<'_>) -> Result<ServerId, Complaint> {
    let bytes = hex(given.string()?, given)?;
    let help = format!("write 1 to {} bytes", ServerId::LONGEST);
    ServerId::new(&bytes).ok_or_else(|| given.refused_with(&format!("is of {} bytes", bytes.len()), help))
}

/// Bytes in hex.
fn hex(digits: &str, given: &Given<'_>) -> Result<Vec<u8>, Complaint> {
    let byte = |pair: &[u8]| {
        let [high, low] = *pair else { return None };
        let digit = |digit: u8| char::from(digit).to_digit(16);
        u8::try_from(digit(high)? << 4 | digit(low)?).ok()
    };
    let bytes = digits.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>();
    bytes.ok_or_else(|| given.refused("is not in hex, two digits to a byte"))
}

/// A size for a Maglev table.
pub(super) fn slots(given: &Given<'_>) -> Result<u32, Complaint> {
    let in_bounds = u32::try_from(given.integer()?)
        .ok()
        .filter(|slots| (maglev::MIN_SIZE..=maglev::MAX_SIZE).contains(slots))
        .ok_or_else(|| given.refused("is out of bounds"))?;
    if maglev::is_prime(in_bounds) {
        return Ok(in_bounds);
    }
    // The bounds are primes themselves, so both neighbours are within them.
    let neighbours = maglev::previous_prime(in_bounds).zip(maglev::next_prime(in_bounds));
    Err(match neighbours {
        Some((below, above)) => {
            given.refused_with("is not a prime", format!("the nearest are {below} and {above}"))
        }
        None => given.refused("is not a prime"),
    })
}

/// A port in decimal digits and nothing else; `u16::from_str` would take a sign.
fn port_number(digits: &str) -> Option<u16> {
    let only_digits = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|port| only_digits && *port > 0)
}
