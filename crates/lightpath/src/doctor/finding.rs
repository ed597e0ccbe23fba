//! What a check says.

use std::fmt::Display;

use serde::{Serialize, Serializer};

use super::fix::Fix;

/// How much a finding matters, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// As it should be.
    Ok,
    /// It works, and could be better.
    Hint,
    /// It works for now, or at a cost, or what it does to packets cannot be seen from here.
    Warning,
    /// Packets are lost, or would be.
    Error,
}

/// One thing about this host.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    /// Which check it is from.
    pub(super) check: &'static str,
    pub(super) severity: Severity,
    /// The thing: an interface, a backend, a setting, a file.
    pub(super) about: String,
    /// What is seen.
    pub(super) what: String,
    /// Why it matters; nothing to say where all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) why: String,
    /// The command that mends it, or what to do where no command can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mend: Option<String>,
    /// How `--fix` mends it.
    #[serde(rename = "fixable", serialize_with = "is_some")]
    pub(super) fix: Option<Fix>,
}

impl Finding {
    /// Something that is as it should be.
    pub(super) fn ok(about: impl Display, what: impl Display) -> Self {
        Self::new(Severity::Ok, about, what, "")
    }

    /// Something that could be better.
    pub(super) fn hint(about: impl Display, what: impl Display, why: impl Display) -> Self {
        Self::new(Severity::Hint, about, what, why)
    }

    /// Something that may lose packets, or costs much.
    pub(super) fn warning(about: impl Display, what: impl Display, why: impl Display) -> Self {
        Self::new(Severity::Warning, about, what, why)
    }

    /// Something that loses packets.
    pub(super) fn error(about: impl Display, what: impl Display, why: impl Display) -> Self {
        Self::new(Severity::Error, about, what, why)
    }

    /// Something that could not be looked at.
    pub(super) fn unseen(about: &str, error: &anyhow::Error) -> Self {
        let why = "whether anything is wrong with it is not known";
        Self::warning(about, format_args!("it cannot be looked at: {error:#}"), why)
    }

    fn new(severity: Severity, about: impl Display, what: impl Display, why: impl Display) -> Self {
        let (about, what, why) = (about.to_string(), what.to_string(), why.to_string());
        Self { check: "", severity, about, what, why, mend: None, fix: None }
    }

    /// With what mends it.
    pub(super) fn mend(self, command: impl Display) -> Self {
        Self { mend: Some(command.to_string()), ..self }
    }

    /// With what `--fix` does about it, and the same as a command.
    pub(super) fn fix(self, fix: Fix) -> Self {
        Self { mend: Some(fix.command()), fix: Some(fix), ..self }
    }
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn is_some<S: Serializer>(fix: &Option<Fix>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(fix.is_some())
}
