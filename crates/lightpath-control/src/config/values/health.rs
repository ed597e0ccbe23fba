//! Values of health checks.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::hex;
use crate::config::diagnostic::Complaint;
use crate::config::reader::Given;

/// Bytes of a datagram that goes through any network in one piece: the 1,280 of IPv6 (RFC 8200, section 5) less its header
/// and UDP's.
const LARGEST_DATAGRAM: usize = 1280 - 40 - 8;
/// Bytes of a domain name and of each part of it, as text without the dot at its end (RFC 1035, section 2.3.4).
const LONGEST_DOMAIN: usize = 253;
const LONGEST_LABEL: usize = 63;

/// A time as the configuration writes it.
pub(in crate::config) struct Written(pub(in crate::config) Duration);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match millis {
            0 => f.write_str("0s"),
            _ if millis.is_multiple_of(60_000) => write!(f, "{}m", millis / 60_000),
            _ if millis.is_multiple_of(1000) => write!(f, "{}s", millis / 1000),
            _ => write!(f, "{millis}ms"),
        }
    }
}

/// A time within bounds.
pub(in crate::config) fn time(
    (least, most): (Duration, Duration),
) -> impl Fn(&Given<'_>) -> Result<Duration, Complaint> {
    move |given| {
        if let Some(number) = given.as_integer() {
            let help = format!("write \"{number}s\" or \"{number}ms\"");
            return Err(given.refused_with("has no unit", help));
        }
        let time = duration(given.string()?).ok_or_else(|| given.refused("is not a time"))?;
        if time < least || time > most {
            return Err(given.refused("is out of bounds"));
        }
        Ok(time)
    }
}

fn duration(written: &str) -> Option<Duration> {
    let digits = written.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = written.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(number.checked_mul(3600)?)),
        _ => None,
    }
}

/// A percentage.
pub(in crate::config) fn percentage(given: &Given<'_>) -> Result<u8, Complaint> {
    if let Some(number) = given.as_integer() {
        return Err(given.refused_with("has no unit", format!("write \"{number}%\"")));
    }
    let digits =
        given.string()?.strip_suffix('%').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok()).filter(|number| *number <= 100);
    number.ok_or_else(|| given.refused("is not a percentage"))
}

/// True or false.
pub(in crate::config) fn truth(given: &Given<'_>) -> Result<bool, Complaint> {
    given.boolean()
}

/// Text that is not empty.
pub(in crate::config) fn words(given: &Given<'_>) -> Result<String, Complaint> {
    match given.string()? {
        "" => Err(given.refused("is empty")),
        text => Ok(text.to_owned()),
    }
}

/// What a request asks for (`origin-form` in RFC 9112, section 3.2.1).
pub(in crate::config) fn path(given: &Given<'_>) -> Result<String, Complaint> {
    let path = given.string()?;
    if !path.starts_with('/') {
        return Err(given.refused("does not begin with a slash"));
    }
    if let Some(odd) = path.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '#' | '"' | '<' | '>')) {
        let help = "write it percent-encoded, as in \"%20\" for a space";
        return Err(given.refused_with(&format!("has the character {odd:?}, which no request has"), help));
    }
    Ok(path.to_owned())
}

/// What a host header says: a name or an address, and a port if it is not the usual one.
pub(in crate::config) fn host(given: &Given<'_>) -> Result<String, Complaint> {
    let written = given.string()?;
    let (name, port) = match written.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (written, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number > 0 && !port.starts_with('+'));
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_name = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_host_name(name),
    };
    if is_name && port.is_none_or(is_port) {
        Ok(written.to_owned())
    } else {
        Err(given.refused("is not a host"))
    }
}

/// A name for TLS to ask for.
pub(in crate::config) fn server_name(given: &Given<'_>) -> Result<String, Complaint> {
    let name = given.string()?;
    if name.parse::<IpAddr>().is_ok() {
        let help = "write a host name; without one, the certificate must be for the backend's address";
        return Err(given.refused_with("is an address", help));
    }
    if is_host_name(name) { Ok(name.to_owned()) } else { Err(given.refused("is not a host name")) }
}

fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    name.len() <= LONGEST_DOMAIN && name.split('.').all(is_label)
}

/// A domain name to ask a name server for, with or without the dot at its end.
pub(in crate::config) fn domain(given: &Given<'_>) -> Result<String, Complaint> {
    let written = given.string()?;
    let name = written.strip_suffix('.').unwrap_or(written);
    if written == "." || is_host_name(name) {
        return Ok(name.to_owned());
    }
    Err(given.refused("is not a domain name"))
}

/// One status or a range of them.
pub(in crate::config) fn statuses(given: &Given<'_>) -> Result<RangeInclusive<u16>, Complaint> {
    if let Some(number) = given.as_integer() {
        let status = u16::try_from(number).ok().filter(|status| (100..=599).contains(status));
        return status.map(|status| status..=status).ok_or_else(|| given.refused("is not a status"));
    }
    let status = |digits: &str| {
        let three = digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|status| three && (100..=599).contains(status))
    };
    let written = given.string()?;
    let (first, last) = written.split_once('-').unwrap_or((written, written));
    match (status(first), status(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        (Some(first), Some(last)) => {
            Err(given.refused_with("ends before it starts", format!("write \"{last}-{first}\"")))
        }
        _ => Err(given.refused("is neither a status nor a range of them")),
    }
}

/// Bytes of a datagram, as text or in hex.
pub(in crate::config) fn payload(given: &Given<'_>) -> Result<Vec<u8>, Complaint> {
    let written = given.string()?;
    let bytes = match written.strip_prefix("hex:") {
        Some(digits) => hex(digits, given)?,
        None => written.as_bytes().to_vec(),
    };
    match bytes.len() {
        0 => Err(given.refused("is empty")),
        1..=LARGEST_DATAGRAM => Ok(bytes),
        length => {
            let help = format!("write at most {LARGEST_DATAGRAM}");
            Err(given.refused_with(&format!("is of {length} bytes"), help))
        }
    }
}
