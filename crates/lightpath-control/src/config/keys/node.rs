//! `[node]`.

use super::Presence::{Default, Otherwise, Required};
use super::{Key, Section};

pub(in crate::config) const NODE: Section = Section {
    header: "[node]",
    meaning: "The host that forwards.",
    keys: &[
        INTERFACES,
        XDP_MODE,
        ANNOUNCE,
        HASH_SEED,
        METRICS,
        API_TABLE,
        TUNNEL_SOURCES,
        SNAT_ADDRESSES,
        SNAT_PORTS,
        QUEUES,
        SPREAD,
    ],
};

pub(in crate::config) const INTERFACES: Key = Key {
    name: "interfaces",
    allowed: "a list of interface names such as [\"eth0\"]",
    presence: Required,
    meaning: "The interfaces that packets to services and their replies arrive on; XDP is attached to each.",
};
pub(in crate::config) const XDP_MODE: Key = Key {
    name: "xdp_mode",
    allowed: "\"auto\", \"native\" or \"generic\"",
    presence: Default("\"auto\""),
    meaning: "`native` runs in the driver or not at all, `generic` works with every driver and is several times \
              slower, `auto` is native where the driver can.",
};
pub(in crate::config) const ANNOUNCE: Key = Key {
    name: "announce",
    allowed: "\"address\" or \"none\"",
    presence: Default("\"address\""),
    meaning: "`address` makes each VIP a /32 or /128 address of this node and announces it by ARP or ND; `none` \
              leaves it to you to route VIPs here.",
};
pub(in crate::config) const HASH_SEED: Key = Key {
    name: "hash_seed",
    allowed: "a string that is not empty, the same on all nodes of a cluster",
    presence: Default("\"lightpath\""),
    meaning: "Seed of the hash that places flows; equal on all nodes of a cluster, and a secret if clients might aim \
              their flows at one backend.",
};
pub(in crate::config) const TUNNEL_SOURCES: Key = Key {
    name: "tunnel_sources",
    allowed: "a list of prefixes or addresses such as [\"10.64.0.0/16\", \"fd00:64::/64\"]",
    presence: Otherwise("this node's address on the way to the backend"),
    meaning: "Where the outer packets of `ipip` and `gue` come from: each flow uses one address out of all prefixes of the \
              backend's family, so that backends' network cards spread them; only the last 64 bits of an IPv6 address \
              vary. They need no addresses on this node, but backends must accept them.",
};
pub(in crate::config) const SNAT_ADDRESSES: Key = Key {
    name: "snat_addresses",
    allowed: "a list of addresses or prefixes such as [\"10.0.0.5\", \"10.0.1.0/28\"], 1024 addresses in all",
    presence: Otherwise("this node's address on the way to the backend"),
    meaning: "Where packets of `fullnat` come from, those of the backend's family: addresses of this node, or ones that \
              backends' networks route to it. A port of each can be used once for each backend.",
};
pub(in crate::config) const SNAT_PORTS: Key = Key {
    name: "snat_ports",
    allowed: "a range of ports from 1 to 65535 such as \"1024-32767\"",
    presence: Otherwise("the larger part of 1024 to 65535 below or above `net.ipv4.ip_local_port_range`"),
    meaning: "Which ports packets of `fullnat` come from; this node's own connections to backends must not use them, so a \
              range within the sysctl's is warned of.",
};
pub(in crate::config) const QUEUES: Key = Key {
    name: "queues",
    allowed: "\"keep\", \"auto\" or a number from 1 to 1024",
    presence: Default("\"keep\""),
    meaning: "How many receive queues the interfaces get. `auto` is one for each CPU, or as many as the card has; each is served by \
              another CPU, and what arrives is shared equally. `lightpath detach` puts back what was there. `keep` changes nothing. \
              See [Queues and processors](queues.md).",
};
pub(in crate::config) const SPREAD: Key = Key {
    name: "spread",
    allowed: "\"off\", \"all\" or CPUs such as \"0-3\" or \"1,2,4-7\"",
    presence: Default("\"off\""),
    meaning: "The CPUs that packets are spread over by flow after they have arrived, for interfaces that cannot do it themselves: those \
              with one receive queue, and those that get all packets by a tunnel. `all` are those online when the daemon starts or \
              reloads. It costs each packet a way from one CPU to another. See [Queues and processors](queues.md).",
};
pub(in crate::config) const METRICS: Key = Key {
    name: "metrics",
    allowed: "an address and port such as \"127.0.0.1:9800\" or \"[::1]:9800\"",
    presence: Otherwise("they are served nowhere"),
    meaning: "Where Prometheus finds metrics, at `/metrics` by HTTP ([which](metrics.md)). Whoever can connect can read them: no \
              password is asked for. At a loopback address the status page is there too, at `/`.",
};
pub(in crate::config) const API_TABLE: Key = Key {
    name: "api",
    allowed: "a [node.api] table",
    presence: Otherwise("on the Unix socket only"),
    meaning: "Where the API is served to other hosts.",
};
