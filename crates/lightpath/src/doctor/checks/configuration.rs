use lightpath_control::config::LoadError;

use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

/// The configuration is right, and what was changed at run time fits it.
pub(super) fn look(around: &Surroundings) -> Vec<Finding> {
    let file = around.file.display();
    let why = "a daemon does not start with it, and one that runs refuses to reload it; what depends on it is not looked at here";
    let mut findings: Vec<Finding> = match &around.config {
        Ok(config) => {
            let backends: usize = config.services.iter().map(|service| service.backends.len()).sum();
            let what =
                format_args!("valid; services: {}, backends: {backends}", config.services.len()).to_string();
            vec![Finding::ok(file, what)]
        }
        Err(LoadError::Invalid(problems)) => {
            let command = format!("lightpath check -c {}", around.file.display());
            let about = |line: usize, column: usize| format!("{}:{line}:{column}", around.file.display());
            let found = problems.iter().map(|problem| {
                let about = about(problem.line, problem.column);
                Finding::error(about, problem.without_place(), why)
                    .mend(format_args!("edit it, then: {command}"))
            });
            found.collect()
        }
        Err(error @ LoadError::Unreadable { .. }) => {
            vec![Finding::error(file, error, why).mend("name another with: lightpath doctor -c FILE")]
        }
    };
    if let Some(unfit) = &around.unfit {
        let why = "the next start puts them aside, and runs by the file alone";
        let what = format_args!("changes made at run time do not count: {unfit}").to_string();
        findings.push(Finding::warning("run-time changes", what, why).mend("lightpath reload --discard"));
    }
    findings
}
