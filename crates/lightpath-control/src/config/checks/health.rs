//! Health checks: they need a port to go to, and a way.

use super::Checks;
use crate::config::keys;
use crate::config::reader::Located;
use crate::config::sections::WrittenService;
use crate::model::{Forward, Via};

impl Checks<'_> {
    pub(super) fn health_has_a_port(&self, service: &WrittenService) {
        let (Some(Located { value: Some(health), at }), Some(ports)) = (&service.health, service.ports)
        else {
            return;
        };
        if health.check.has_port() && health.port.is_none() && ports.value.single().is_none() {
            let problem = format!("missing, and the service has several: \"{}\"", ports.value);
            let help = "write the port that its backends are checked at";
            self.add(*at, &format!("{} health", service.place), &keys::HEALTH_PORT, problem, help);
        }
    }

    /// Where packets get the backend's address, there is no VIP on it to be checked.
    pub(super) fn health_can_go_that_way(&self, service: &WrittenService) {
        let (Some(Located { value: Some(health), at }), Some(forward)) = (&service.health, service.forward)
        else {
            return;
        };
        if health.via == Via::Datapath && matches!(forward.value, Forward::Nat | Forward::FullNat) {
            let problem = format!(
                "\"datapath\" is a way to the VIP on a backend, and forward = \"{}\" sends to the backend's own address",
                forward.value
            );
            let help = "remove it: a check to the backend's address sees what clients see";
            self.add(*at, &format!("{} health", service.place), &keys::VIA, problem, help);
        }
    }
}
