//! The status as text: what `lightpath status` prints.

use std::fmt;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{BackendStatus, FlowStatus, STATES, ServiceStatus, Status};

impl Status {
    /// How much there is, and in which state.
    pub(crate) fn summary(&self) -> String {
        let backends = || self.services.iter().flat_map(|service| &service.backends);
        let in_state = |state: &&str| backends().filter(|backend| backend.state == **state).count();
        let states = STATES.iter().map(|state| (in_state(state), state)).filter(|(count, _)| *count > 0);
        let states: Vec<String> = states.map(|(count, state)| format!("{count} {state}")).collect();
        let amount =
            |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let all = [amount(self.services.len(), "service"), amount(backends().count(), "backend")].join(", ");
        if states.is_empty() { all } else { format!("{all}: {}", states.join(", ")) }
    }

    /// The text of a part of the services, with the summary of all of them; without what is the node's.
    pub(crate) fn part_of(&self, all: &str) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            self.head(f, all)?;
            writeln!(f, "shown: {}", self.summary())?;
            self.services.iter().try_for_each(|service| write!(f, "\n{service}"))
        })
    }

    fn head(&self, f: &mut fmt::Formatter<'_>, summary: &str) -> fmt::Result {
        let interfaces: Vec<String> = self
            .interfaces
            .iter()
            .map(|interface| format!("{} ({})", interface.name, interface.mode))
            .collect();
        writeln!(f, "lightpath {}, instance {}, on {}", self.version, self.instance, interfaces.join(", "))?;
        writeln!(f, "{summary}")
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f, &self.summary())?;
        if self.flows.moving_slots > 0 {
            let FlowStatus { moving_slots, remembered, .. } = self.flows;
            writeln!(f, "{moving_slots} slots are moving, {remembered} flows are remembered for them")?;
        }
        if self.program.features.iter().any(|feature| feature == "fullnat") {
            let megabytes = self.flows.session_bytes.div_ceil(1_000_000);
            writeln!(f, "{} flows of fullnat, in a table of {megabytes} MB", self.flows.sessions)?;
        }
        for service in &self.services {
            write!(f, "\n{service}")?;
        }
        if self.file_changed {
            writeln!(
                f,
                "\nThe configuration file has changed since it was read: `lightpath reload` applies it."
            )?;
        }
        if !self.overrides.is_empty() {
            writeln!(f, "\nChanged at run time (`lightpath reload --discard` returns to the file):")?;
            self.overrides.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        if self.drops.is_empty() {
            writeln!(f, "\nNothing dropped.")?;
        } else {
            writeln!(f, "\nDropped:")?;
            list(f, self.drops.iter())?;
        }
        if self.replies.values().any(|count| *count > 0) {
            writeln!(f, "\nAnswered:")?;
            list(f, self.replies.iter().filter(|(_, count)| **count > 0))?;
        }
        Ok(())
    }
}

fn list<'a>(
    f: &mut fmt::Formatter<'_>,
    mut counts: impl Iterator<Item = (&'a String, &'a u64)>,
) -> fmt::Result {
    counts.try_for_each(|(name, count)| writeln!(f, "  {count:>12}  {name}"))
}

impl fmt::Display for ServiceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vip = match self.vip {
            IpAddr::V4(vip) => vip.to_string(),
            IpAddr::V6(vip) => format!("[{vip}]"),
        };
        writeln!(
            f,
            "{}  {vip}:{}/{}  {}  {:.0} packets/s, {} dropped",
            self.name, self.port, self.protocol, self.forward, self.packets_per_second, self.dropped
        )?;
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["  backend", "port", "weight", "share", "packets", "bytes", "packets/s", "state"]);
        for backend in &self.backends {
            let state = backend.standing();
            table.add_row([
                format!("  {}", backend.address),
                backend.port.map_or_else(|| "kept".to_owned(), |port| port.to_string()),
                backend.weight.to_string(),
                format!("{:.1} %", backend.share * 100.0),
                backend.packets.to_string(),
                backend.bytes.to_string(),
                format!("{:.0}", backend.packets_per_second),
                state,
            ]);
        }
        for column in 1..=6 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for line in table.lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl BackendStatus {
    /// Its state, for how long it is down, and why.
    pub(crate) fn standing(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let time = self.since.map(|since| format!(" for {}", span(now.saturating_sub(since))));
        let cause = self.cause.as_ref().map(|cause| format!(": {cause}"));
        format!("{}{}{}", self.state, time.unwrap_or_default(), cause.unwrap_or_default())
    }
}

/// Seconds, in the largest two units that say enough.
fn span(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}
