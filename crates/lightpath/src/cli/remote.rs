//! The daemon of another host, as it is named.

use std::path::PathBuf;

use clap::Args;

use crate::api::{Place, Remote as Daemon, Url};

/// Which daemon is asked, if it is not this host's.
#[derive(Args, Clone, Debug)]
pub(crate) struct Remote {
    /// Ask the daemon of another host, which serves its API there (`[node.api]`).
    #[arg(
        long,
        global = true,
        value_name = "https://HOST:PORT",
        requires = "token_file",
        hide_short_help = true
    )]
    pub(crate) api: Option<Url>,
    /// The file of that API's token.
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) token_file: Option<PathBuf>,
    /// A file of authorities, one of which has signed that API's certificate, unless this host trusts one of them.
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) ca: Option<PathBuf>,
}

impl Remote {
    /// Where it is.
    pub(crate) fn place(&self) -> Option<Place> {
        let (url, token_file) = (self.api.clone()?, self.token_file.clone()?);
        Some(Place::Remote(Daemon { url, token_file, ca: self.ca.clone() }))
    }
}
