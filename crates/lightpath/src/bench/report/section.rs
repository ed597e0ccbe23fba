//! A part of the report: what was measured, in words, a table and plots.

use super::plot::Plot;
use super::sheet::Sheet;

/// A part of the report.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::bench) struct Section {
    /// Its heading.
    pub(in crate::bench) title: String,
    /// What was done, and what the figures are.
    pub(in crate::bench) about: String,
    /// The figures.
    pub(in crate::bench) sheet: Sheet,
    /// Remarks below the table, a line each.
    pub(in crate::bench) notes: Vec<String>,
    /// The figures as pictures.
    pub(in crate::bench) plots: Vec<Plot>,
}

/// What is said of programs that are not installed.
pub(super) fn missing(programs: &[String]) -> Option<String> {
    let names = programs.join(", ");
    (!programs.is_empty()).then(|| {
        format!("Not installed, and so not measured: {names}. `scripts/setup --bench` installs them.")
    })
}
