//! One error: where, what could not be done, and what the kernel said.

use std::fmt;
use std::io;

/// Something in the lab could not be done.
///
/// Printed as `client: cannot add 10.0.0.1/24 to eth0: File exists (os error 17)`.
#[derive(Debug)]
pub struct Error {
    place: String,
    action: String,
    source: io::Error,
}

impl Error {
    pub(crate) fn new(place: impl Into<String>, action: impl Into<String>, source: io::Error) -> Self {
        Self { place: place.into(), action: action.into(), source }
    }

    /// The kind of the cause, such as [`io::ErrorKind::TimedOut`] or [`io::ErrorKind::ConnectionRefused`].
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: cannot {}: {}", self.place, self.action, self.source)?;
        if self.source.kind() == io::ErrorKind::PermissionDenied {
            f.write_str("; run as root, or with CAP_SYS_ADMIN and CAP_NET_ADMIN")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
