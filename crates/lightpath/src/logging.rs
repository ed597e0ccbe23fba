//! Logs: for people on a terminal, JSON otherwise. `LIGHTPATH_LOG` sets the level, as in `LIGHTPATH_LOG=debug`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Sends events to standard error.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env("LIGHTPATH_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if std::io::stderr().is_terminal() {
        builder.init();
    } else {
        builder.json().flatten_event(true).init();
    }
}
