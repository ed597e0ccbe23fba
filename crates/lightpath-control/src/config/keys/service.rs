//! `[[service]]`.

use super::Presence::{Default, Otherwise, Required};
use super::{Key, Section};

pub(in crate::config) const SERVICE: Section = Section {
    header: "[[service]]",
    meaning: "A virtual address, protocol and ports that clients talk to.",
    keys: &[
        NAME,
        VIP,
        PORT,
        PROTOCOL,
        FORWARD,
        STICKY,
        SLOTS,
        WHEN_EMPTY,
        QUIC_TABLE,
        HEALTH_TABLE,
        BACKEND_TABLES,
    ],
};

pub(in crate::config) const NAME: Key = Key {
    name: "name",
    allowed: "1 to 63 letters (a-z, A-Z), digits, \"-\", \"_\" or \".\"",
    presence: Required,
    meaning: "Names the service in commands, messages and metrics; unique.",
};
pub(in crate::config) const VIP: Key = Key {
    name: "vip",
    allowed: "an IPv4 or IPv6 address such as \"203.0.113.10\"",
    presence: Required,
    meaning: "The virtual address.",
};
pub(in crate::config) const PORT: Key = Key {
    name: "port",
    allowed: "1 to 65535, a range such as \"8000-8999\", or \"any\"",
    presence: Required,
    meaning: "The port or ports of the service; where services overlap, one port goes before a range, and a range \
              before `any`.",
};
pub(in crate::config) const PROTOCOL: Key = Key {
    name: "protocol",
    allowed: "\"tcp\", \"udp\" or \"quic\"",
    presence: Required,
    meaning: "The transport protocol; `quic` is UDP whose packets find their backend by connection ID if there is a \
              [service.quic], and by flow if not.",
};
pub(in crate::config) const FORWARD: Key = Key {
    name: "forward",
    allowed: "\"nat\", \"fullnat\", \"dsr\", \"ipip\" or \"gue\"",
    presence: Default("\"nat\""),
    meaning: "`nat` rewrites the destination, and replies return through this node as the backends' gateway; `fullnat` \
              rewrites the source too, to `snat_addresses` and `snat_ports` of this node, so that replies come back to \
              it from backends on any network and of either IP version, and remembers each flow; `dsr` rewrites only MAC addresses, and replies go straight to the client from backends on the same network \
              that hold the VIP; `ipip` and `gue` send each packet unchanged through a tunnel (of IP, or of UDP to port \
              6080) to backends on any network, which unwrap it, hold the VIP, and answer the client themselves.",
};
pub(in crate::config) const STICKY: Key = Key {
    name: "sticky",
    allowed: "\"none\" or \"source-ip\"",
    presence: Default("\"none\""),
    meaning: "`source-ip` places all flows of a client address on one backend.",
};
pub(in crate::config) const SLOTS: Key = Key {
    name: "slots",
    allowed: "a prime from 11 to 1048573",
    presence: Default("65537"),
    meaning: "Slots of the Maglev table, at least 10 for each backend with a weight; 100 for each keep an average \
              share exact to 1 %.",
};
pub(in crate::config) const WHEN_EMPTY: Key = Key {
    name: "when_empty",
    allowed: "\"reject\" or \"drop\"",
    presence: Default("\"reject\""),
    meaning: "What becomes of packets while no backend can take them: `reject` tells the client at once, by TCP reset or \
              ICMP port unreachable; `drop` says nothing.",
};
pub(in crate::config) const QUIC_TABLE: Key = Key {
    name: "quic",
    allowed: "a table such as { server_id_length = 2 }",
    presence: Otherwise("by flow"),
    meaning: "How connection IDs of a `quic` service carry its backends.",
};
pub(in crate::config) const HEALTH_TABLE: Key = Key {
    name: "health",
    allowed: "a [service.health] table",
    presence: Otherwise("no health checks"),
    meaning: "How backends are checked.",
};
pub(in crate::config) const BACKEND_TABLES: Key = Key {
    name: "backend",
    allowed: "[[service.backend]] in double brackets above each backend",
    presence: Otherwise("no backends"),
    meaning: "The backends.",
};
