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
    keys: &[INTERFACES, XDP_MODE, ANNOUNCE, HASH_SEED, METRICS, TUNNEL_SOURCES, SNAT_ADDRESSES, SNAT_PORTS],
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
pub(super) const TUNNEL_SOURCES: Key = Key {
    name: "tunnel_sources",
    allowed: "a list of prefixes or addresses such as [\"10.64.0.0/16\", \"fd00:64::/64\"]",
    presence: Otherwise("this node's address on the way to the backend"),
    meaning: "Where the outer packets of `ipip` and `gue` come from: each flow uses one address out of all prefixes of the \
              backend's family, so that backends' network cards spread them; only the last 64 bits of an IPv6 address \
              vary. They need no addresses on this node, but backends must accept them.",
    availability: Full,
};
pub(super) const SNAT_ADDRESSES: Key = Key {
    name: "snat_addresses",
    allowed: "a list of addresses or prefixes such as [\"10.0.0.5\", \"10.0.1.0/28\"], 1024 addresses in all",
    presence: Otherwise("this node's address on the way to the backend"),
    meaning: "Where packets of `fullnat` come from; backends' networks must route them to this node.",
    availability: Full,
};
pub(super) const SNAT_PORTS: Key = Key {
    name: "snat_ports",
    allowed: "a range of ports from 1 to 65535 such as \"1024-32767\"",
    presence: Otherwise("the larger part of 1024 to 65535 below or above `net.ipv4.ip_local_port_range`"),
    meaning: "Which ports packets of `fullnat` come from; this node's own connections must not use them.",
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
        QUIC_TABLE,
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
    allowed: "\"tcp\", \"udp\" or \"quic\"",
    presence: Required,
    meaning: "The transport protocol; `quic` is UDP whose packets find their backend by connection ID if there is a \
              [service.quic], and by flow if not.",
    availability: Full,
};
pub(super) const FORWARD: Key = Key {
    name: "forward",
    allowed: "\"nat\", \"dsr\", \"ipip\" or \"gue\"",
    presence: Default("\"nat\""),
    meaning: "`nat` rewrites the destination, and replies return through this node as the backends' gateway; `dsr` \
              rewrites only MAC addresses, and replies go straight to the client from backends on the same network \
              that hold the VIP; `ipip` and `gue` send each packet unchanged through a tunnel (of IP, or of UDP to port \
              6080) to backends on any network, which unwrap it, hold the VIP, and answer the client themselves.",
    availability: Without(&["fullnat"]),
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
    allowed: "\"reject\" or \"drop\"",
    presence: Default("\"reject\""),
    meaning: "What becomes of packets while no backend can take them: `reject` tells the client at once, by TCP reset or \
              ICMP port unreachable; `drop` says nothing.",
    availability: Full,
};
pub(super) const QUIC_TABLE: Key = Key {
    name: "quic",
    allowed: "a table such as { server_id_length = 2 }",
    presence: Otherwise("by flow"),
    meaning: "How connection IDs of a `quic` service carry its backends.",
    availability: Full,
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

pub(super) const QUIC: Section = Section {
    header: "[service.quic]",
    meaning: "How the connection IDs that backends of the service above hand out say whose they are: in plain text, as in \
              draft-ietf-quic-load-balancers: one byte whose first three bits are the configuration, then the server ID, \
              then whatever the backend likes. Packets with another configuration or an unknown server ID, as the first of \
              a connection have, go by flow.",
    keys: &[SERVER_ID_LENGTH, CONFIG_ID],
};

pub(super) const SERVER_ID_LENGTH: Key = Key {
    name: "server_id_length",
    allowed: "a number from 1 to 15",
    presence: Required,
    meaning: "Bytes of a server ID.",
    availability: Full,
};
pub(super) const CONFIG_ID: Key = Key {
    name: "config_id",
    allowed: "a number from 0 to 6",
    presence: Default("0"),
    meaning: "The configuration that connection IDs say they are of.",
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
    keys: &[ADDRESS, BACKEND_PORT, WEIGHT, SERVER_ID],
};

pub(super) const ADDRESS: Key = Key {
    name: "address",
    allowed: "the backend's own IPv4 or IPv6 address, such as \"10.0.0.11\"",
    presence: Required,
    meaning: "Its address: of the VIP's family, or in a tunnel of either.",
    availability: Full,
};
pub(super) const BACKEND_PORT: Key = Key {
    name: "port",
    allowed: "a number from 1 to 65535",
    presence: Otherwise("the port the client used"),
    meaning: "Its port, where a `nat` service of one port uses another one on its backends.",
    availability: Full,
};
pub(super) const SERVER_ID: Key = Key {
    name: "server_id",
    allowed: "its bytes in hex, such as \"0a01\"",
    presence: Otherwise("none"),
    meaning: "Its identity in connection IDs, which a service with [service.quic] asks of every backend; unique there.",
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
