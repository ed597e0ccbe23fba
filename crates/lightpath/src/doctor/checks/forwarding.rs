use anyhow::Result;

use crate::doctor::finding::Finding;
use crate::doctor::surroundings::Surroundings;

use super::rp_filter::demands;

/// Replies of `nat` and `fullnat` may pass through this host.
pub(super) fn look(around: &Surroundings) -> Result<Vec<Finding>> {
    let why =
        "replies of backends come back through this host, which drops them before they reach the client";
    demands(around, "forwarding", why, |path| !path.ends_with("/rp_filter"))
}
