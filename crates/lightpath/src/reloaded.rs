//! What a reload changed, as the API says it and the command prints it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What was changed, a line each.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Reloaded {
    pub(crate) changes: Vec<String>,
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return f.write_str("nothing is different");
        }
        f.write_str(&self.changes.join("\n"))
    }
}
