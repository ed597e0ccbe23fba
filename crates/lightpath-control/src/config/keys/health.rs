//! `[service.health]`.

use super::Availability::Without;
use super::Presence::Required;
use super::{Key, Section, later};

pub(in crate::config) const HEALTH: Section = Section {
    header: "[service.health]",
    meaning: "How the backends of the service above are checked.",
    keys: &[
        HEALTH_TYPE,
        later("path", "Path that HTTP checks ask for."),
        later("interval", "Time between checks."),
        later("timeout", "Time after which a check has failed."),
        later("rise", "Successes in a row that make a backend healthy."),
        later("fall", "Failures in a row that make a backend unhealthy."),
        later("via", "Whether checks travel the path of packets."),
    ],
};

pub(in crate::config) const HEALTH_TYPE: Key = Key {
    name: "type",
    allowed: "\"none\"",
    presence: Required,
    meaning: "The kind of check.",
    availability: Without(&["tcp", "http", "https", "grpc", "dns", "udp", "icmp"]),
};
