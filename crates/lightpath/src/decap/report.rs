//! What was counted, at the end: the shape of `decap --json`, whose names are stable, and its text.

use std::collections::BTreeMap;
use std::fmt;

use lightpath_core::{Format, Refusal};
use lightpath_dataplane::Unwrapped;
use serde::Serialize;

use crate::cli;

/// What became of the packets that arrived in tunnels to this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// The interface.
    interface: String,
    /// Where tunnels may come from.
    from: Vec<String>,
    /// Whether other tunnels were dropped.
    strict: bool,
    /// Packets unwrapped, by format.
    unwrapped: BTreeMap<&'static str, Traffic>,
    /// Packets in tunnels from elsewhere that were left to the kernel.
    left: u64,
    /// Packets dropped, by reason; reasons that did not occur are left out.
    drops: BTreeMap<&'static str, u64>,
}

/// Packets of one format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Traffic {
    packets: u64,
    /// As received, with the tunnel's headers.
    bytes: u64,
}

impl Report {
    pub(super) fn new(options: &cli::Decap, counters: &Unwrapped) -> Self {
        let unwrapped = Format::ALL.map(|format| {
            let counted = counters.of(format);
            (format.name(), Traffic { packets: counted.packets, bytes: counted.bytes })
        });
        let dropped = |refusal: &Refusal| options.strict || *refusal != Refusal::UnlistedSource;
        let counts = Refusal::ALL.into_iter().filter(dropped);
        let counts = counts.map(|refusal| (refusal.name(), counters.refused(refusal)));
        Self {
            interface: options.interface().to_owned(),
            from: options.from.iter().map(ToString::to_string).collect(),
            strict: options.strict,
            unwrapped: unwrapped.into(),
            left: if options.strict { 0 } else { counters.refused(Refusal::UnlistedSource) },
            drops: counts.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (format, Traffic { packets, bytes }) in &self.unwrapped {
            writeln!(f, "{format:5} {packets} packets, {bytes} bytes unwrapped")?;
        }
        if self.left > 0 {
            writeln!(
                f,
                "{} packets in tunnels from sources that are not listed left to the kernel",
                self.left
            )?;
        }
        if self.drops.is_empty() {
            return writeln!(f, "Nothing dropped.");
        }
        let drops: Vec<String> =
            self.drops.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        writeln!(f, "dropped: {}", drops.join(", "))
    }
}
