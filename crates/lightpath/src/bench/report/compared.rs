//! Two builds side by side.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::sheet::{Sheet, grouped};

/// What two builds cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Compared {
    /// How many times the other build's cost is too much.
    pub(in crate::bench) limit: f64,
    /// The rows that both have.
    pub(in crate::bench) rows: Vec<Comparison>,
}

/// A row in both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Comparison {
    /// What was measured.
    pub(in crate::bench) name: String,
    /// Of how many flows.
    pub(in crate::bench) flows: u32,
    /// Nanoseconds per packet in the other build, 10th percentile.
    pub(in crate::bench) base_ns: f64,
    /// The same in this one.
    pub(in crate::bench) ns: f64,
    /// Median over the rounds of this one's divided by the other's of the same round.
    pub(in crate::bench) times_base: f64,
}

impl Compared {
    /// Whether no row costs too much.
    pub(in crate::bench) fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.times_base <= self.limit)
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sheet = Sheet::new(1, &["packets", "flows", "base ns", "ns", "times base"]);
        for row in &self.rows {
            let slower = if row.times_base > self.limit { " SLOWER" } else { "" };
            sheet.row([
                row.name.clone(),
                grouped(row.flows.into()),
                format!("{:.0}", row.base_ns),
                format!("{:.0}", row.ns),
                format!("{:.2}{slower}", row.times_base),
            ]);
        }
        writeln!(f, "{}", sheet.text())?;
        if self.passed() {
            writeln!(f, "no row costs more than {:.2} times the base", self.limit)
        } else {
            writeln!(f, "rows marked SLOWER cost more than {:.2} times the base", self.limit)
        }
    }
}
