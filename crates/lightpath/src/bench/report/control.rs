//! What configurations of different sizes take.

use serde::{Deserialize, Serialize};

use super::section::Section;
use super::sheet::{Sheet, grouped, mebibytes};

/// All sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Control {
    /// How often each time was taken, but for the start.
    pub(in crate::bench) times: u16,
    /// The sizes.
    pub(in crate::bench) sizes: Vec<Taken>,
}

/// What a size takes; times in milliseconds, medians.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::bench) struct Taken {
    /// Services.
    pub(in crate::bench) services: u16,
    /// Backends of each.
    pub(in crate::bench) backends: u16,
    /// Slots of each.
    pub(in crate::bench) slots: u32,
    /// To fill empty tables.
    pub(in crate::bench) build_ms: f64,
    /// To change them for one backend's weight.
    pub(in crate::bench) rebuild_ms: f64,
    /// From starting the daemon to its first answer, which comes when it balances.
    pub(in crate::bench) start_ms: f64,
    /// From asking the daemon to read a file with another weight to its answer.
    pub(in crate::bench) reload_ms: f64,
    /// Resident memory of the daemon afterwards.
    pub(in crate::bench) resident_bytes: u64,
    /// Memory of its BPF maps.
    pub(in crate::bench) map_bytes: u64,
}

impl Control {
    /// As a part of the report.
    pub(in crate::bench) fn section(&self) -> Section {
        let header = [
            "services",
            "backends of each",
            "slots of each",
            "build ms",
            "change ms",
            "start ms",
            "reload ms",
            "resident",
            "BPF maps",
        ];
        let mut sheet = Sheet::new(0, &header);
        for size in &self.sizes {
            sheet.row([
                grouped(size.services.into()),
                grouped(size.backends.into()),
                grouped(size.slots.into()),
                format!("{:.1}", size.build_ms),
                format!("{:.1}", size.rebuild_ms),
                format!("{:.0}", size.start_ms),
                format!("{:.1}", size.reload_ms),
                mebibytes(size.resident_bytes),
                mebibytes(size.map_bytes),
            ]);
        }
        Section {
            title: "What a configuration takes".to_owned(),
            about: format!(
                "`build` fills empty tables, `change` changes them for one backend's weight: both are the work of the daemon alone. \
                 `start` is from starting the daemon to its first answer, when it balances; most of it is the verifier's time. \
                 `reload` is from asking it to read a file with another weight to its answer. Medians of {}, but for the start. \
                 Memory is that of the daemon and its BPF maps afterwards.",
                self.times
            ),
            sheet,
            notes: Vec::new(),
            plots: Vec::new(),
        }
    }
}
