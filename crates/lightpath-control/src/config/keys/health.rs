//! `[service.health]`.

use super::Presence::{Default, Otherwise, Required};
use super::{Key, Section};

pub(in crate::config) const HEALTH: Section = Section {
    header: "[service.health]",
    meaning: "How the backends of the service above are checked: from this host, straight to the backend's address unless `via` \
              says otherwise. A backend that is down takes no new flows. When the daemon starts, and when a backend is new, the \
              first check decides; from then on it takes `fall` failures in a row to go down and `rise` successes in a row to \
              come up. A backend whose first check has not ended is used if it was there when the daemon started, and not used \
              if it was added since. Times are written as `\"500ms\"`, `\"2s\"` or `\"5m\"`.",
    keys: &[
        HEALTH_TYPE,
        VIA,
        INTERVAL,
        TIMEOUT,
        RISE,
        FALL,
        HEALTH_PORT,
        ON_DOWN,
        SLOW_START,
        HOLD_DOWN,
        PANIC_THRESHOLD,
        METHOD,
        PATH,
        HOST,
        STATUS,
        BODY,
        TLS_NAME,
        CA,
        VERIFY,
        GRPC_SERVICE,
        DNS_NAME,
        RECORD,
        SEND,
        EXPECT,
    ],
};

/// Keys that only checks of some types have.
pub(in crate::config) const OF_TYPES: &[(Key, &[&str])] = &[
    (HEALTH_PORT, &["tcp", "http", "https", "grpc", "grpcs", "dns", "udp"]),
    (VIA, &["tcp", "http", "https", "grpc", "grpcs", "dns", "udp"]),
    (METHOD, &["http", "https"]),
    (PATH, &["http", "https"]),
    (HOST, &["http", "https"]),
    (STATUS, &["http", "https"]),
    (BODY, &["http", "https"]),
    (TLS_NAME, &["https", "grpcs"]),
    (CA, &["https", "grpcs"]),
    (VERIFY, &["https", "grpcs"]),
    (GRPC_SERVICE, &["grpc", "grpcs"]),
    (DNS_NAME, &["dns"]),
    (RECORD, &["dns"]),
    (SEND, &["udp"]),
    (EXPECT, &["dns", "udp"]),
];

pub(in crate::config) const HEALTH_TYPE: Key = Key {
    name: "type",
    allowed: "\"tcp\", \"http\", \"https\", \"grpc\", \"grpcs\", \"dns\", \"udp\", \"icmp\" or \"none\"",
    presence: Required,
    meaning: "What is asked of a backend: `tcp` that it accepts a connection, `http` and `https` that it answers a request, \
              `grpc` and, over TLS, `grpcs` that it is serving by the gRPC health protocol, `dns` that it answers a question, `udp` that \
              it answers a datagram, `icmp` that it answers an echo request. `none` checks nothing and has no other keys.",
};
pub(in crate::config) const VIA: Key = Key {
    name: "via",
    allowed: "\"direct\" or \"datapath\"",
    presence: Default("\"direct\""),
    meaning: "The way that checks take: `direct` to the backend's address, `datapath` to the VIP on that backend, in the packets \
              that clients' packets become, so that a backend without the VIP or the tunnel's end is found out. The port that is \
              checked is then one of the VIP's; where no `host` or `server_name` is written, the VIP stands for it. For `dsr`, \
              `ipip` and `gue`; of all types but `icmp`. Checks leave by a device of their own, `lp-` and eight digits, and \
              carry marks from 0x6c700000 to 0x6c70ffff until they have left it.",
};
pub(in crate::config) const INTERVAL: Key = Key {
    name: "interval",
    allowed: "a time from \"100ms\" to \"1h\"",
    presence: Default("\"2s\""),
    meaning: "From the beginning of a check to that of the next; each time up to a tenth less, so that checks spread.",
};
pub(in crate::config) const TIMEOUT: Key = Key {
    name: "timeout",
    allowed: "a time from \"10ms\" to \"1h\"",
    presence: Otherwise("`\"1s\"`, or the interval where that is shorter"),
    meaning: "How long a check may take in all, at most the interval.",
};
pub(in crate::config) const RISE: Key = Key {
    name: "rise",
    allowed: "a number from 1 to 255",
    presence: Default("2"),
    meaning: "Successes in a row that bring a backend up.",
};
pub(in crate::config) const FALL: Key = Key {
    name: "fall",
    allowed: "a number from 1 to 255",
    presence: Default("3"),
    meaning: "Failures in a row that take a backend down.",
};
pub(in crate::config) const HEALTH_PORT: Key = Key {
    name: "port",
    allowed: "a number from 1 to 65535",
    presence: Otherwise("the backend's port; required where the service has several"),
    meaning: "The port that is checked; of all types but `icmp`.",
};
pub(in crate::config) const ON_DOWN: Key = Key {
    name: "on_down",
    allowed: "\"move\" or \"keep\"",
    presence: Default("\"move\""),
    meaning: "What becomes of the flows of a backend that goes down: with `move` they go to other backends at once, with `keep` \
              they stay, as in a drain.",
};
pub(in crate::config) const SLOW_START: Key = Key {
    name: "slow_start",
    allowed: "a time from \"0s\" to \"1h\"",
    presence: Default("\"0s\""),
    meaning: "How long a backend that came up, or is new, takes to grow from a tenth of its weight to all of it.",
};
pub(in crate::config) const HOLD_DOWN: Key = Key {
    name: "hold_down",
    allowed: "a time from \"0s\" to \"1h\"",
    presence: Default("\"0s\""),
    meaning: "A backend that goes down again within this time of its return stays down for at least as long, and for twice as \
              long each further time, up to eight times.",
};
pub(in crate::config) const PANIC_THRESHOLD: Key = Key {
    name: "panic_threshold",
    allowed: "a percentage from \"0%\" to \"100%\"",
    presence: Default("\"0%\""),
    meaning: "While fewer than this part of the backends with a weight are up, those that are down are used too: the \
              checks may be what is wrong, and a few backends would not stand the load of all. `0%` never does so.",
};
pub(in crate::config) const METHOD: Key = Key {
    name: "method",
    allowed: "\"GET\" or \"HEAD\"",
    presence: Default("\"GET\""),
    meaning: "`http`, `https`: the method of the request.",
};
pub(in crate::config) const PATH: Key = Key {
    name: "path",
    allowed: "a path such as \"/healthz\", with a query if need be",
    presence: Default("\"/\""),
    meaning: "`http`, `https`: what is asked for.",
};
pub(in crate::config) const HOST: Key = Key {
    name: "host",
    allowed: "a host name such as \"www.example.com\", with a port if need be",
    presence: Otherwise("the backend's address and the port checked"),
    meaning: "`http`, `https`: the host header of the request.",
};
pub(in crate::config) const STATUS: Key = Key {
    name: "status",
    allowed: "a status such as 200, a range such as \"200-399\", or a list of them",
    presence: Default("\"200-399\""),
    meaning: "`http`, `https`: statuses that are good.",
};
pub(in crate::config) const BODY: Key = Key {
    name: "body",
    allowed: "a string that is not empty",
    presence: Otherwise("any"),
    meaning: "`http`, `https`: what the first 64 KiB of the answer must contain.",
};
pub(in crate::config) const TLS_NAME: Key = Key {
    name: "server_name",
    allowed: "a host name such as \"www.example.com\"",
    presence: Otherwise("`host` without its port, or the backend's address"),
    meaning: "`https`, `grpcs`: the name that is sent (SNI) and that the certificate must be for.",
};
pub(in crate::config) const CA: Key = Key {
    name: "ca",
    allowed: "the absolute path of a file of certificates in PEM",
    presence: Otherwise("the authorities that this host trusts"),
    meaning: "`https`, `grpcs`: the authorities that may have signed the certificate; read when the configuration is applied.",
};
pub(in crate::config) const VERIFY: Key = Key {
    name: "verify",
    allowed: "true or false",
    presence: Default("true"),
    meaning: "`https`, `grpcs`: `false` takes any certificate, for any name.",
};
pub(in crate::config) const GRPC_SERVICE: Key = Key {
    name: "service",
    allowed: "a name such as \"example.Greeter\"",
    presence: Otherwise("the server as a whole"),
    meaning: "`grpc`, `grpcs`: the service that must be serving.",
};
pub(in crate::config) const DNS_NAME: Key = Key {
    name: "name",
    allowed: "a domain name such as \"example.com\"",
    presence: Otherwise("required with `dns`"),
    meaning: "`dns`: the name that is asked for, by UDP.",
};
pub(in crate::config) const RECORD: Key = Key {
    name: "record",
    allowed: "\"A\", \"AAAA\", \"SOA\", \"NS\" or \"TXT\"",
    presence: Default("\"A\""),
    meaning: "`dns`: the type of record that is asked for, of which one must come.",
};
pub(in crate::config) const SEND: Key = Key {
    name: "send",
    allowed: "text, or bytes as \"hex:0a01\", at most 1232 of them",
    presence: Otherwise("required with `udp`"),
    meaning: "`udp`: the datagram that is sent.",
};
pub(in crate::config) const EXPECT: Key = Key {
    name: "expect",
    allowed: "text, or bytes as \"hex:0a01\"; for `dns` an address",
    presence: Otherwise("any answer"),
    meaning: "`udp`: what the answer must contain. `dns`: an address that must be among the records, of type A or AAAA.",
};
