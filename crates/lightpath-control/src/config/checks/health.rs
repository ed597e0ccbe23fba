//! Health checks: they need a port to go to.

use super::Checks;
use crate::config::keys;
use crate::config::reader::Located;
use crate::config::sections::WrittenService;

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
}
