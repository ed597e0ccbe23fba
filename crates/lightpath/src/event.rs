//! What happened: the shape of what `GET /v1/events` sends, whose names are stable. The log has the same fields.

mod kind;

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use kind::{Kind, markdown as reference};

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Event {
    /// Its number. Later ones are greater, those of later daemons too.
    pub(crate) id: u64,
    /// When, in seconds since 1970.
    pub(crate) time: f64,
    /// What happened.
    #[serde(rename = "event")]
    pub(crate) kind: Kind,
    /// How bad that is.
    pub(crate) severity: Severity,
    /// The same in words.
    pub(crate) message: String,
    #[serde(flatten)]
    pub(crate) about: About,
}

/// What it happened to, as far as that says something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct About {
    /// The service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    /// The backend: `ADDRESS:PORT`, without a port where the client's is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) backend: Option<String>,
    /// The interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) interface: Option<String>,
    /// Why it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<String>,
    /// What is different in the configuration, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<String>,
    /// Slots that move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) slots: Option<usize>,
    /// The XDP program's id in the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) program: Option<u32>,
    /// The version of the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
}

/// How bad it is, after syslog(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// As it should be.
    Info,
    /// Somebody should look at it.
    Warning,
    /// Clients notice it.
    Error,
}

impl About {
    /// Only why.
    pub(crate) fn cause(cause: impl fmt::Display) -> Self {
        Self { cause: Some(cause.to_string()), ..Self::default() }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}
