//! What was measured: as JSON, as text, as a page of the documentation and as a page for a browser.

pub(super) mod clients;
pub(super) mod compared;
pub(super) mod control;
mod document;
mod machine;
pub(super) mod packets;
pub(super) mod path;
mod plot;
mod section;
mod sheet;

use std::fmt;

use serde::{Deserialize, Serialize};

use clients::Clients;
use control::Control;
use packets::Packets;
use path::Path;
use section::Section;

pub(super) use document::write;
pub(super) use machine::Machine;

/// Everything that was measured, and where. Parts that were not asked for are missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    /// Where and when.
    pub(super) machine: Machine,
    /// The command that measured.
    pub(super) command: String,
    /// What packets cost in the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) packets: Option<Packets>,
    /// What a link carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<Path>,
    /// What clients see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) clients: Option<Clients>,
    /// What configurations take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) control: Option<Control>,
}

impl Report {
    /// The parts that there are, in order.
    fn sections(&self) -> Vec<Section> {
        let packets = self.packets.iter().map(Packets::section);
        let path = self.path.iter().map(Path::section);
        let clients = self.clients.iter().flat_map(Clients::sections);
        let control = self.control.iter().map(Control::section);
        packets.chain(path).chain(clients).chain(control).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, section) in self.sections().into_iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{}\n\n{}", section.title, section.sheet.text())?;
            for note in section.notes {
                writeln!(f, "{note}")?;
            }
        }
        Ok(())
    }
}
