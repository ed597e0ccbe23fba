//! What may be written in a configuration file: every key, its values, its default and its meaning.
//!
//! Reading finds unknown keys here, messages take their help from here, and the reference is rendered from here.

mod api;
mod backend;
mod health;
mod node;
mod quic;
mod service;

pub(super) use api::*;
pub(super) use backend::*;
pub(super) use health::*;
pub(super) use node::*;
pub(super) use quic::*;
pub(super) use service::*;

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

use Presence::{Otherwise, Required};

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
};
pub(super) const SERVICE_TABLES: Key = Key {
    name: "service",
    allowed: "[[service]] in double brackets above each service",
    presence: Otherwise("no services"),
    meaning: "A service.",
};
