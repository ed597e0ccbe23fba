//! What may be written in a configuration file: every key, its values, its default and its meaning.
//!
//! Reading finds unknown keys here, messages take their help from here, and the reference is rendered from here.

/// A table of the configuration and the keys in it.
pub(super) struct Section {
    /// How it is written.
    pub(super) header: &'static str,
    /// What it describes, for the reference.
    pub(super) meaning: &'static str,
    pub(super) keys: &'static [Key],
}

/// A key.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What may be written; completes "write …".
    pub(super) allowed: &'static str,
    pub(super) presence: Presence,
    /// One sentence for the reference.
    pub(super) meaning: &'static str,
    pub(super) availability: Availability,
}

/// What holds when a key is not written.
#[derive(Clone, Copy)]
pub(super) enum Presence {
    /// It must be written.
    Required,
    /// The same as if this were written, in TOML.
    Default(&'static str),
    /// What these words say.
    Otherwise(&'static str),
}

/// Whether this version does what a key says.
#[derive(Clone, Copy)]
pub(super) enum Availability {
    /// All of it.
    Full,
    /// All but these values.
    Without(&'static [&'static str]),
    /// None of it: the key is known, so that it is refused by name.
    Later,
}

use Availability::{Full, Later, Without};
use Presence::{Default, Otherwise, Required};

pub(super) const ROOT: Section = Section {
    header: "",
    meaning: "A file holds one `[node]` table and any number of `[[service]]` tables.",
    keys: &[NODE_TABLE, SERVICE_TABLES],
};

pub(super) const NODE_TABLE: Key = Key {
    name: "node",
    allowed: "a [node] table with at least interfaces = [\"eth0\"]",
    presence: Required,
    meaning: "This host.",
    availability: Full,
};
pub(super) const SERVICE_TABLES: Key = Key {
    name: "service",
    allowed: "[[service]] in double brackets above each service",
    presence: Otherwise("no services"),
    meaning: "A service.",
    availability: Full,
};

pub(super) const NODE: Section = Section {
    header: "[node]",
    meaning: "The host that forwards.",
    keys: &[
        INTERFACES,
        XDP_MODE,
        ANNOUNCE,
        HASH_SEED,
        METRICS,
        later("tunnel_sources", "Prefixes for the outer source addresses of tunnels."),
        later("snat_addresses", "Source addresses for `fullnat`."),
        later("snat_ports", "Source ports for `fullnat`."),
    ],
};

pub(super) const INTERFACES: Key = Key {
    name: "interfaces",
    allowed: "a list of interface names such as [\"eth0\"]",
    presence: Required,
    meaning: "The interfaces that packets to services and their replies arrive on; XDP is attached to each.",
    availability: Full,
};
pub(super) const XDP_MODE: Key = Key {
    name: "xdp_mode",
    allowed: "\"auto\", \"native\" or \"generic\"",
    presence: Default("\"auto\""),
    meaning: "`native` runs in the driver or not at all, `generic` works with every driver and is several times \
              slower, `auto` is native where the driver can.",
    availability: Full,
};
pub(super) const ANNOUNCE: Key = Key {
    name: "announce",
    allowed: "\"address\" or \"none\"",
    presence: Default("\"address\""),
    meaning: "`address` makes each VIP a /32 or /128 address of this node and announces it by ARP or ND; `none` \
              leaves it to you to route VIPs here.",
    availability: Full,
};
pub(super) const HASH_SEED: Key = Key {
    name: "hash_seed",
    allowed: "a string that is not empty, the same on all nodes of a cluster",
    presence: Default("\"lightpath\""),
    meaning: "Seed of the hash that places flows; equal on all nodes of a cluster, and a secret if clients might aim \
              their flows at one backend.",
    availability: Full,
};
const METRICS: Key = later("metrics", "Address and port where Prometheus metrics are served.");

pub(super) const SERVICE: Section = Section {
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
        later("quic", "How connection IDs of QUIC carry the backend."),
        HEALTH_TABLE,
        BACKEND_TABLES,
    ],
};

pub(super) const NAME: Key = Key {
    name: "name",
    allowed: "1 to 63 letters (a-z, A-Z), digits, \"-\", \"_\" or \".\"",
    presence: Required,
    meaning: "Names the service in commands, messages and metrics; unique.",
    availability: Full,
};
pub(super) const VIP: Key = Key {
    name: "vip",
    allowed: "an IPv4 or IPv6 address such as \"203.0.113.10\"",
    presence: Required,
    meaning: "The virtual address.",
    availability: Full,
};
pub(super) const PORT: Key = Key {
    name: "port",
    allowed: "1 to 65535, a range such as \"8000-8999\", or \"any\"",
    presence: Required,
    meaning: "The port or ports of the service; where services overlap, one port goes before a range, and a range \
              before `any`.",
    availability: Full,
};
pub(super) const PROTOCOL: Key = Key {
    name: "protocol",
    allowed: "\"tcp\" or \"udp\"",
    presence: Required,
    meaning: "The transport protocol.",
    availability: Without(&["quic"]),
};
pub(super) const FORWARD: Key = Key {
    name: "forward",
    allowed: "\"nat\" or \"dsr\"",
    presence: Default("\"nat\""),
    meaning: "`nat` rewrites the destination, and replies return through this node as the backends' gateway; `dsr` \
              rewrites only MAC addresses, and replies go straight to the client from backends on the same network \
              that hold the VIP.",
    availability: Without(&["fullnat", "ipip", "gue"]),
};
pub(super) const STICKY: Key = Key {
    name: "sticky",
    allowed: "\"none\" or \"source-ip\"",
    presence: Default("\"none\""),
    meaning: "`source-ip` places all flows of a client address on one backend.",
    availability: Full,
};
pub(super) const SLOTS: Key = Key {
    name: "slots",
    allowed: "a prime from 11 to 1048573",
    presence: Default("65537"),
    meaning: "Slots of the Maglev table, at least 10 for each backend with a weight; 100 for each keep an average \
              share exact to 1 %.",
    availability: Full,
};
pub(super) const WHEN_EMPTY: Key = Key {
    name: "when_empty",
    allowed: "\"drop\"",
    presence: Default("\"drop\""),
    meaning: "What happens to packets while no backend can take them.",
    availability: Without(&["reject"]),
};
pub(super) const HEALTH_TABLE: Key = Key {
    name: "health",
    allowed: "a [service.health] table",
    presence: Otherwise("no health checks"),
    meaning: "How backends are checked.",
    availability: Full,
};
pub(super) const BACKEND_TABLES: Key = Key {
    name: "backend",
    allowed: "[[service.backend]] in double brackets above each backend",
    presence: Otherwise("no backends"),
    meaning: "The backends.",
    availability: Full,
};

pub(super) const HEALTH: Section = Section {
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

pub(super) const HEALTH_TYPE: Key = Key {
    name: "type",
    allowed: "\"none\"",
    presence: Required,
    meaning: "The kind of check.",
    availability: Without(&["tcp", "http", "https", "grpc", "dns", "udp", "icmp"]),
};

pub(super) const BACKEND: Section = Section {
    header: "[[service.backend]]",
    meaning: "A real server behind the service above.",
    keys: &[
        ADDRESS,
        BACKEND_PORT,
        WEIGHT,
        later("server_id", "The backend's identity in connection IDs of QUIC."),
    ],
};

pub(super) const ADDRESS: Key = Key {
    name: "address",
    allowed: "the backend's own IPv4 or IPv6 address, such as \"10.0.0.11\"",
    presence: Required,
    meaning: "Its address, of the VIP's family.",
    availability: Full,
};
pub(super) const BACKEND_PORT: Key = Key {
    name: "port",
    allowed: "a number from 1 to 65535",
    presence: Otherwise("the port the client used"),
    meaning: "Its port, where a `nat` service of one port uses another one on its backends.",
    availability: Full,
};
pub(super) const WEIGHT: Key = Key {
    name: "weight",
    allowed: "a number from 0 to 65535",
    presence: Default("100"),
    meaning: "Its share of new flows relative to the other backends; 0 takes none and keeps those it has.",
    availability: Full,
};

/// A key of a later version.
const fn later(name: &'static str, meaning: &'static str) -> Key {
    Key { name, allowed: "", presence: Otherwise(""), meaning, availability: Later }
}
