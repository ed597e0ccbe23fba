//! What is known of the network around this node, at one moment.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use lightpath_control::health::View;
use lightpath_control::hops::Vlans;
use lightpath_control::reconcile::{Hops, Surroundings};

use super::Daemon;

/// See the module.
pub(super) struct Known {
    pub(super) hops: Arc<Hops>,
    health: Arc<View>,
    addresses: BTreeSet<IpAddr>,
    vlans: Vlans,
    merged: bool,
}

impl Daemon {
    /// What is known now. What changes from here on is told.
    pub(super) fn known(&mut self) -> Known {
        Known {
            hops: self.hops.borrow_and_update().clone(),
            health: self.checks.view(),
            addresses: self.addresses.clone(),
            vlans: self.vlans.clone(),
            merged: self.interfaces.any_generic(),
        }
    }
}

impl Known {
    /// As tables are made from.
    pub(super) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            hops: &self.hops,
            health: &self.health,
            addresses: &self.addresses,
            vlans: &self.vlans,
            merged: self.merged,
        }
    }
}
