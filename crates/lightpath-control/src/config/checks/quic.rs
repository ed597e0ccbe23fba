//! QUIC: connection IDs name the backends of one service, each by an ID of its own.

use std::collections::HashMap;

use super::Checks;
use crate::config::keys;
use crate::config::reader::Located;
use crate::config::sections::{WrittenBackend, WrittenService};
use crate::model::Protocol;

impl Checks<'_> {
    pub(super) fn quic_belongs_to_quic(&self, service: &WrittenService) {
        let (Some(Located { value: Some(_), at }), Some(protocol)) = (service.quic, service.protocol) else {
            return;
        };
        if protocol.value != Protocol::Quic {
            let problem = format!("{} has no connection IDs", protocol.value);
            let help = "write protocol = \"quic\", or remove this";
            self.add(at, &service.place, &keys::QUIC_TABLE, problem, help);
        }
    }

    pub(super) fn server_id_is_as_the_service_says(
        &self,
        service: &WrittenService,
        backend: &WrittenBackend,
    ) {
        let (Some(quic), Some(id)) = (service.quic, backend.server_id) else { return };
        let (problem, help) = match (quic.value, id.value) {
            (None, Some(id)) => (
                format!("\"{id}\" cannot be used, because the service does not look into connection IDs"),
                format!(
                    "remove it, or write quic = {{ server_id_length = {} }} for the service",
                    id.as_bytes().len()
                ),
            ),
            (Some(quic), None) => (
                "missing, and the service finds its backends by it".to_owned(),
                bytes_of(quic.server_id_length),
            ),
            (Some(quic), Some(id)) if id.as_bytes().len() != usize::from(quic.server_id_length) => (
                format!(
                    "\"{id}\" is not of the service's server_id_length, which is {} bytes",
                    quic.server_id_length
                ),
                bytes_of(quic.server_id_length),
            ),
            _ => return,
        };
        self.add(id.at, &backend.place, &keys::SERVER_ID, problem, help);
    }

    pub(super) fn server_ids_are_unique(&self, service: &WrittenService) {
        let mut first_uses = HashMap::new();
        for backend in &service.backends {
            let Some(Located { value: Some(id), at }) = backend.server_id else { continue };
            if let Some(first) = first_uses.get(&id) {
                let problem = format!("\"{id}\" is also the server ID of another backend{first}");
                let help = "give each backend one of its own";
                self.add(at, &backend.place, &keys::SERVER_ID, problem, help);
            } else {
                first_uses.insert(id, self.report.on_line(backend.at));
            }
        }
    }
}

fn bytes_of(length: u8) -> String {
    format!("write {} hex digits", 2 * u32::from(length))
}
