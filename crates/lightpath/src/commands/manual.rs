use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::cli::Cli;

/// `lightpath manual`: writes manual pages and completions of shells, both made of the command line as it is declared, for a package
/// to install.
pub(crate) fn run(directory: &Path) -> Result<ExitCode> {
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let failed = || format!("cannot write to {}", directory.display());
    clap_mangen::generate_to(Cli::command(), directory).with_context(failed)?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut Cli::command(), "lightpath", directory)
            .with_context(failed)?;
    }
    Ok(ExitCode::SUCCESS)
}
