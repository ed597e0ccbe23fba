//! The findings in words, or as JSON.

use std::fmt::{self, Display};

use anyhow::Result;
use serde::Serialize;

use super::finding::{Finding, Severity};
use crate::output::{print, print_line};

/// What was done by `--fix`.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    pub(super) what: String,
    /// Why it could not be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
}

/// What was done, and what is found after it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) findings: Vec<Finding>,
    pub(super) done: Vec<Done>,
}

impl Report {
    /// Prints it.
    pub(super) fn print(&self, json: bool) -> Result<()> {
        if json {
            print_line(serde_json::to_string(self)?)?;
        } else {
            print(self)?;
        }
        Ok(())
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Done { what, failure } in &self.done {
            match failure {
                None => writeln!(f, "fixed    {what}")?,
                Some(failure) => writeln!(f, "failed   {what}: {failure}")?,
            }
        }
        let mut findings: Vec<&Finding> = self.findings.iter().collect();
        // What is worst is said last, where it is seen; the order is that of the checks otherwise.
        findings.sort_by_key(|finding| finding.severity);
        for finding in findings {
            writeln!(f, "{:<8} {}: {}", word(finding.severity), finding.about, finding.what)?;
            if !finding.why.is_empty() {
                writeln!(f, "         why:  {}", finding.why)?;
            }
            if let Some(mend) = &finding.mend {
                writeln!(f, "         mend: {mend}")?;
            }
        }
        let fixable = self.findings.iter().filter(|finding| finding.fix.is_some()).count();
        if fixable > 0 {
            writeln!(f, "{fixable} of these can be fixed by `lightpath doctor --fix`")?;
        }
        let errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        match errors {
            0 => writeln!(f, "this host is ready"),
            1 => writeln!(f, "1 error: traffic would be lost"),
            _ => writeln!(f, "{errors} errors: traffic would be lost"),
        }
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Hint => "hint",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}
