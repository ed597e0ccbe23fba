use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{self, Page};
use crate::daemon::metrics_reference;
use crate::output::print;
use crate::{drops, event};

/// `lightpath reference`: a page of the documentation.
pub(crate) fn run(page: Page) -> Result<ExitCode> {
    match page {
        Page::Commands => print(cli::reference())?,
        Page::Drops => print(drops::reference())?,
        Page::Events => print(event::reference())?,
        Page::Metrics => print(metrics_reference())?,
    }
    Ok(ExitCode::SUCCESS)
}
