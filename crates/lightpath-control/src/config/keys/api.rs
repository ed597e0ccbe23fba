//! `[node.api]`.

use super::Presence::Required;
use super::{Key, Section};

pub(in crate::config) const API: Section = Section {
    header: "[node.api]",
    meaning: "Where the API is served beside the Unix socket: by HTTPS, to those who send a token, as in `Authorization: Bearer …`. \
              With it they can do what root can with `lightpath` on this host, but for `upgrade`. A reload reads the files again.",
    keys: &[LISTEN, TOKEN_FILE, CERTIFICATE, CERTIFICATE_KEY],
};

pub(in crate::config) const LISTEN: Key = Key {
    name: "listen",
    allowed: "an address and port such as \"192.0.2.1:9801\" or \"[::1]:9801\"",
    presence: Required,
    meaning: "The address.",
};
pub(in crate::config) const TOKEN_FILE: Key = Key {
    name: "token_file",
    allowed: "the absolute path of a file",
    presence: Required,
    meaning: "A file with the token, at least 32 characters on one line, that nobody but its owner may read: \
              `(umask 077; openssl rand -hex 32 > FILE)`.",
};
pub(in crate::config) const CERTIFICATE: Key = Key {
    name: "certificate",
    allowed: "the absolute path of a file of certificates in PEM",
    presence: Required,
    meaning: "The server's certificate, and those between it and an authority.",
};
pub(in crate::config) const CERTIFICATE_KEY: Key = Key {
    name: "key",
    allowed: "the absolute path of a file with a private key in PEM",
    presence: Required,
    meaning: "Its key, in a file that nobody but its owner may read.",
};
