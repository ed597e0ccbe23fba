//! What a change of the configuration came to, as the API says it and commands print it.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Changed {
    /// A line for each difference; none if all was so before.
    pub(crate) changes: Vec<String>,
    /// Where a backend is drained or removed: flows of it that are remembered so far. It keeps them until they end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) flows: Option<usize>,
    /// Changes made earlier at run time that the file has made pointless, and that are forgotten now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) forgotten: Vec<String>,
}

/// Another program in the place of the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Exchanged {
    /// Id of the program in the kernel until now.
    pub(crate) before: u32,
    /// Id of the program from now on; none while an upgrade is under way.
    pub(crate) after: Option<u32>,
    /// What was tried and found good, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tried: Option<String>,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.changes.clone();
        if lines.is_empty() {
            lines.push("nothing is different".to_owned());
        }
        lines.extend(self.forgotten.iter().map(|line| format!("forgotten: {line}")));
        match self.flows {
            None => {}
            Some(0) => lines.push("no flow of it is remembered yet; those that live go on".to_owned()),
            Some(1) => lines.push("1 flow remains and goes on".to_owned()),
            Some(flows) => lines.push(format!("{flows} flows remain and go on")),
        }
        f.write_str(&lines.join("\n"))
    }
}
