//! Mistakes in a configuration file, and where they are.

use std::cell::RefCell;
use std::fmt;

use serde::Serialize;

use crate::model::Config;

/// One mistake in a configuration file.
///
/// Displayed as `file:line:column: field: problem; help`, which editors and terminals link to the place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file as it was named by the caller.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is concerned, such as `service "web" backend 2: weight`; `None` when it is the file as a whole.
    pub field: Option<String>,
    /// What is wrong, quoting what is written.
    pub problem: String,
    /// What to write instead.
    pub help: String,
}

impl Diagnostic {
    /// As it is displayed, without the file and the place in it.
    #[must_use]
    pub fn without_place(&self) -> String {
        let field = self.field.as_ref().map_or_else(String::new, |field| format!("{field}: "));
        format!("{field}{}; {}", self.problem, self.help)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.without_place())
    }
}

/// Every mistake in a configuration file, at least one, in file order. Displayed one a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// The mistakes, in file order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// What is wrong and what to do, before it is known where.
pub(super) struct Complaint {
    problem: String,
    help: String,
}

impl Complaint {
    pub(super) fn new(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self { problem: problem.into(), help: help.into() }
    }
}

/// Collects the mistakes of one file while it is read.
pub(super) struct Report<'a> {
    text: &'a str,
    file: &'a str,
    /// Byte offset of the start of each line.
    lines: Vec<usize>,
    /// Shared by every reader of the file, none of which looks at what the others added.
    diagnostics: RefCell<Vec<Diagnostic>>,
}

impl<'a> Report<'a> {
    pub(super) fn new(text: &'a str, file: &'a str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, file, lines, diagnostics: RefCell::default() }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Notes a mistake at the byte offset `at`.
    pub(super) fn add(&self, at: usize, field: Option<String>, complaint: Complaint) {
        let Complaint { problem, help } = complaint;
        let line = self.line(at);
        let before = self.text.get(self.lines[line - 1]..at).unwrap_or_default();
        let column = before.chars().count() + 1;
        self.diagnostics.borrow_mut().push(Diagnostic {
            file: self.file.to_owned(),
            line,
            column,
            field: field.map(visible),
            problem: visible(problem),
            help: visible(help),
        });
    }

    /// The line, from 1, of the byte offset `at`.
    pub(super) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }

    /// ` on line N`, behind the name of what stands at `at`; nothing where there are no lines.
    pub(super) fn on_line(&self, at: usize) -> String {
        if self.text.is_empty() { String::new() } else { format!(" on line {}", self.line(at)) }
    }

    /// The configuration if nothing was noted, else everything that was.
    ///
    /// A part of the model is missing only where a mistake was noted, so the two cannot both be absent.
    pub(super) fn finish(self, config: Option<Config>) -> Result<Config, Diagnostics> {
        match config {
            Some(config) if self.diagnostics.borrow().is_empty() => Ok(config),
            _ => Err(self.refusal()),
        }
    }

    /// Everything that was noted, in the order of the file.
    pub(super) fn refusal(self) -> Diagnostics {
        let mut diagnostics = self.diagnostics.into_inner();
        diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        Diagnostics(diagnostics)
    }
}

/// What is quoted from a file may hold anything: control characters are escaped, so that a message stays on its line and does
/// nothing to a terminal.
fn visible(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let mut visible = String::new();
    for character in text.chars() {
        if character.is_control() {
            visible.extend(character.escape_debug());
        } else {
            visible.push(character);
        }
    }
    visible
}
