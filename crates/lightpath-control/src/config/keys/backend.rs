//! `[[service.backend]]`.

use super::Presence::{Default, Otherwise, Required};
use super::{Key, Section};

pub(in crate::config) const BACKEND: Section = Section {
    header: "[[service.backend]]",
    meaning: "A real server behind the service above.",
    keys: &[ADDRESS, BACKEND_PORT, WEIGHT, SERVER_ID],
};

pub(in crate::config) const ADDRESS: Key = Key {
    name: "address",
    allowed: "the backend's own IPv4 or IPv6 address, such as \"10.0.0.11\"",
    presence: Required,
    meaning: "Its address: of the VIP's family, or in a tunnel of either.",
};
pub(in crate::config) const BACKEND_PORT: Key = Key {
    name: "port",
    allowed: "a number from 1 to 65535",
    presence: Otherwise("the port the client used"),
    meaning: "Its port, where a `nat` service of one port uses another one on its backends.",
};
pub(in crate::config) const SERVER_ID: Key = Key {
    name: "server_id",
    allowed: "its bytes in hex, such as \"0a01\"",
    presence: Otherwise("none"),
    meaning: "Its identity in connection IDs, which a service with [service.quic] asks of every backend; unique there.",
};
pub(in crate::config) const WEIGHT: Key = Key {
    name: "weight",
    allowed: "a number from 0 to 65535",
    presence: Default("100"),
    meaning: "Its share of new flows relative to the other backends; 0 takes none and keeps those it has.",
};
