//! `[service.quic]`.

use super::Presence::{Default, Required};
use super::{Key, Section};

pub(in crate::config) const QUIC: Section = Section {
    header: "[service.quic]",
    meaning: "How the connection IDs that backends of the service above hand out say whose they are: in plain text, as in \
              draft-ietf-quic-load-balancers: one byte whose first three bits are the configuration, then the server ID, \
              then whatever the backend likes. Packets with another configuration or an unknown server ID, as the first of \
              a connection have, go by flow.",
    keys: &[SERVER_ID_LENGTH, CONFIG_ID],
};

pub(in crate::config) const SERVER_ID_LENGTH: Key = Key {
    name: "server_id_length",
    allowed: "a number from 1 to 15",
    presence: Required,
    meaning: "Bytes of a server ID.",
};
pub(in crate::config) const CONFIG_ID: Key = Key {
    name: "config_id",
    allowed: "a number from 0 to 6",
    presence: Default("0"),
    meaning: "The configuration that connection IDs say they are of.",
};
