//! A packet that was dropped, as an example of its reason.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::hex::Hex;

/// A packet that was dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Example {
    /// When it came, in seconds since 1970.
    pub(crate) time: f64,
    /// The interface that it came by.
    pub(crate) interface: String,
    /// The service that it was for, where that is known.
    pub(crate) service: Option<String>,
    /// What it is, from whom and to whom, in words.
    pub(crate) summary: String,
    /// Further fields of its headers, in the order of the packet.
    pub(crate) headers: Vec<Header>,
    /// Its length on the wire, in bytes.
    pub(crate) length: u32,
    /// Its first bytes, from the Ethernet header on.
    #[schema(value_type = String)]
    pub(crate) bytes: Hex,
}

/// A field of a header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Header {
    /// Its name.
    pub(crate) field: String,
    /// What it says.
    pub(crate) value: String,
}

/// In a line.
impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}: {}", moment(self.time), self.interface, self.summary)?;
        if let Some(service) = &self.service {
            write!(f, " for {service}")?;
        }
        write!(f, ", {} bytes", self.length)?;
        self.headers.iter().try_for_each(|Header { field, value }| write!(f, ", {field} {value}"))
    }
}

/// A time in UTC, to the millisecond.
fn moment(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 are far fewer than 2^63")]
    let milliseconds = (seconds * 1e3) as i64;
    OffsetDateTime::from_unix_timestamp(milliseconds.div_euclid(1000)).map_or_else(
        |_| "at no time that can be".to_owned(),
        |time| {
            let (hour, minute, second) = time.to_hms();
            let part = milliseconds.rem_euclid(1000);
            format!("{} {hour:02}:{minute:02}:{second:02}.{part:03} UTC", time.date())
        },
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A packet like any other.
    pub(crate) fn example() -> Example {
        let header = |field: &str, value: &str| Header { field: field.to_owned(), value: value.to_owned() };
        Example {
            time: 1_700_000_000.25,
            interface: "eth0".to_owned(),
            service: Some("web".to_owned()),
            summary: "tcp SYN 198.51.100.7:40000 to 203.0.113.10:80".to_owned(),
            headers: vec![header("TTL", "63"), header("IP length", "60")],
            length: 74,
            bytes: Hex(vec![0x02, 0x00]),
        }
    }

    #[test]
    fn an_example_says_when_where_and_what() {
        assert_eq!(
            example().to_string(),
            "2023-11-14 22:13:20.250 UTC by eth0: tcp SYN 198.51.100.7:40000 to 203.0.113.10:80 for web, 74 bytes, TTL 63, \
             IP length 60"
        );
        let nameless = Example { service: None, headers: Vec::new(), time: f64::MAX, ..example() };
        assert!(nameless.to_string().starts_with("at no time that can be by eth0: tcp SYN"), "{nameless}");
    }
}
