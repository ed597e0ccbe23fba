//! Backends that the configuration no longer has, while flows of theirs live on.
//!
//! A backend that is taken out of the file keeps its flows and gets no new ones, like one whose weight is 0, until nothing refers to
//! it any more. Operators take servers out by deleting a line; their users should not notice.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::{Backend, Config, Forward, Service};

/// A backend of a service, by name and endpoint.
pub(crate) type Leaver = (String, IpAddr, Option<u16>);

/// The configuration with those backends added that it no longer has and `before` had, at weight 0; and who they are. They
/// keep their server IDs unless others have them now.
pub(crate) fn keep(before: &Config, mut config: Config) -> (Config, BTreeSet<Leaver>) {
    let mut leaving = BTreeSet::new();
    let wanted = config.clone();
    for service in &mut config.services {
        let Some(known) = before.services.iter().find(|known| is_same(known, service)) else {
            continue;
        };
        for backend in &known.backends {
            if has(service, backend) || is_needed_elsewhere(&wanted, service, backend) {
                continue;
            }
            leaving.insert((service.name.clone(), backend.address, backend.port));
            let server_id = backend.server_id.filter(|id| {
                known.quic == service.quic
                    && service.backends.iter().all(|other| other.server_id != Some(*id))
            });
            service.backends.push(Backend { weight: 0, server_id, ..*backend });
        }
    }
    (config, leaving)
}

/// Whether flows of one service can go on as flows of the other.
fn is_same(one: &Service, other: &Service) -> bool {
    one.vip == other.vip
        && one.ports == other.ports
        && one.protocol == other.protocol
        && one.forward == other.forward
}

fn has(service: &Service, backend: &Backend) -> bool {
    service.backends.iter().any(|known| known.address == backend.address && known.port == backend.port)
}

/// With `nat`, a backend's replies can be told for one service only.
fn is_needed_elsewhere(config: &Config, service: &Service, backend: &Backend) -> bool {
    service.forward == Forward::Nat
        && config.services.iter().any(|other| {
            other.forward == Forward::Nat
                && other.name != service.name
                && other.protocol.transport() == service.protocol.transport()
                && other.backends.iter().any(|known| known.address == backend.address)
        })
}
