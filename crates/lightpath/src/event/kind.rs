//! What can happen, each with its name, how bad it is, and what it means.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Severity;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Started,
    Stopped,
    BackendDown,
    BackendUp,
    PanicBegan,
    PanicEnded,
    NextHopLost,
    NextHopFound,
    ServiceEmpty,
    ServiceServed,
    DrainBegan,
    DrainEnded,
    MoveBegan,
    MoveEnded,
    Reloaded,
    ReloadRefused,
    Changed,
    InterfaceLost,
    InterfaceReturned,
    UpgradeBegan,
    UpgradeRefused,
    ProgramReplaced,
    ProgramKept,
    ProgramRolledBack,
}

impl Kind {
    /// All of them, in the order of the reference.
    pub(crate) const ALL: [Self; 24] = [
        Self::Started,
        Self::Stopped,
        Self::BackendDown,
        Self::BackendUp,
        Self::PanicBegan,
        Self::PanicEnded,
        Self::NextHopLost,
        Self::NextHopFound,
        Self::ServiceEmpty,
        Self::ServiceServed,
        Self::DrainBegan,
        Self::DrainEnded,
        Self::MoveBegan,
        Self::MoveEnded,
        Self::Reloaded,
        Self::ReloadRefused,
        Self::Changed,
        Self::InterfaceLost,
        Self::InterfaceReturned,
        Self::UpgradeBegan,
        Self::UpgradeRefused,
        Self::ProgramReplaced,
        Self::ProgramKept,
        Self::ProgramRolledBack,
    ];

    /// As in the API, the log and metrics.
    pub(crate) fn name(self) -> &'static str {
        self.row().0
    }

    /// How bad it is.
    pub(crate) fn severity(self) -> Severity {
        self.row().1
    }

    /// Its name, how bad it is, and what it means.
    fn row(self) -> (&'static str, Severity, &'static str) {
        use Severity::{Error, Info, Warning};
        match self {
            Self::Started => {
                ("started", Info, "Packets are balanced from here on; `version` is the daemon's")
            }
            Self::Stopped => ("stopped", Info, "The daemon ends; its data plane goes on forwarding"),
            Self::BackendDown => {
                ("backend-down", Warning, "A backend fails its checks; `cause` is what the last one found")
            }
            Self::BackendUp => ("backend-up", Info, "It passes them again"),
            Self::PanicBegan => (
                "panic-began",
                Error,
                "Fewer backends of a service are up than `panic_threshold` asks for, so all are used",
            ),
            Self::PanicEnded => ("panic-ended", Info, "Enough of them are up again"),
            Self::NextHopLost => (
                "next-hop-lost",
                Warning,
                "Packets cannot be sent to a backend, which takes no flows; `cause` says why",
            ),
            Self::NextHopFound => ("next-hop-found", Info, "They can be sent to it"),
            Self::ServiceEmpty => (
                "service-empty",
                Error,
                "No backend of a service takes flows; clients are refused, or their packets dropped",
            ),
            Self::ServiceServed => ("service-served", Info, "One does again"),
            Self::DrainBegan => (
                "drain-began",
                Info,
                "A backend is to get no new flows: its weight is 0, or it is not configured any more",
            ),
            Self::DrainEnded => {
                ("drain-ended", Info, "It has no flows left, or takes new ones again; `cause` says which")
            }
            Self::MoveBegan => (
                "move-began",
                Info,
                "`slots` have another backend than before, and flows of the one before are remembered",
            ),
            Self::MoveEnded => ("move-ended", Info, "All slots have settled; no flow is looked up any more"),
            Self::Reloaded => {
                ("reloaded", Info, "The configuration file was read again; `changes` are in force")
            }
            Self::ReloadRefused => {
                ("reload-refused", Warning, "It was wrong, and nothing changed; `cause` says what is wrong")
            }
            Self::Changed => ("changed", Info, "Somebody made `changes` by a command or the API"),
            Self::InterfaceLost => (
                "interface-lost",
                Error,
                "Packets of an interface are not balanced any more; `cause` says why",
            ),
            Self::InterfaceReturned => ("interface-returned", Warning, "They are again"),
            Self::UpgradeBegan => {
                ("upgrade-began", Info, "Another binary was tried, is good, and takes the daemon's place")
            }
            Self::UpgradeRefused => {
                ("upgrade-refused", Warning, "It is no good, and nothing changed; `cause` is what it said")
            }
            Self::ProgramReplaced => {
                ("program-replaced", Info, "Another build of the packet path runs, and is watched")
            }
            Self::ProgramKept => ("program-kept", Info, "It does well, and is kept"),
            Self::ProgramRolledBack => (
                "program-rolled-back",
                Warning,
                "The packet path from before an upgrade is back; `cause` says why",
            ),
        }
    }
}

const INTRODUCTION: &str = "\
# Events

<!-- Generated by `lightpath reference events`; a test keeps it current. -->

Whatever changes is told once, with the same names and fields everywhere: on the status page, as a line of the log, and by
`GET /v1/events`, which sends what is kept of the past, the last 1,000, and goes on with what happens:

    curl --no-buffer --unix-socket /run/lightpath/default.sock http://lightpath/v1/events

It sends server-sent events, one JSON object each. Their `id` grows over restarts, so a client that comes back with
`Last-Event-ID`, as browsers do, or with `?after=ID`, misses none that is kept.

Every event has `id`, `time` (seconds since 1970), `event`, `severity` and `message`, and of `service`, `backend`, `interface`,
`cause`, `changes`, `slots`, `program` and `version` those that say something. Metrics count them:
`lightpath_events_total`.

The log goes to standard error: for people on a terminal and in the journal, which also gets its priorities (`journalctl -p warning`),
and as JSON otherwise. What goes wrong again and again is told when it begins, changes and ends, and every five minutes with how often.
Nothing is logged for a packet.

| event | severity | meaning |
|---|---|---|
";

/// What `docs/events.md` holds.
pub(crate) fn markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    for kind in Kind::ALL {
        let (name, severity, meaning) = kind.row();
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| `{name}` | {severity} | {meaning} |");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_everywhere() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(kind as usize, index, "{kind:?} has its place in the order");
        }
        assert_eq!(Kind::ALL.last(), Some(&Kind::ProgramRolledBack), "none is left out");
    }

    #[test]
    fn the_reference_is_current() {
        let page = include_str!("../../../../docs/events.md");
        assert_eq!(page, markdown(), "write it anew: lightpath reference events > docs/events.md");
    }
}
