//! What would become of a packet: the shape of `GET /v1/explain` and `explain --json`, whose names are stable, and its text.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The answer of `lightpath explain`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Explanation {
    /// The packet that was asked about.
    pub(crate) packet: String,
    /// `forward`, `drop` or `pass`.
    pub(crate) verdict: String,
    /// In words, why.
    pub(crate) because: String,
    /// The service it belongs to.
    pub(crate) service: Option<String>,
    /// Its slot in the service's table, from 0; none for replies.
    pub(crate) slot: Option<u32>,
    /// Whether the slot's backend was changed while flows of an earlier one may live on.
    pub(crate) moving: bool,
    /// The backend it goes to, or comes from.
    pub(crate) backend: Option<BackendExplanation>,
    /// What changes in its headers.
    pub(crate) rewrite: Option<String>,
    /// How it leaves.
    pub(crate) next_hop: Option<NextHopExplanation>,
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BackendExplanation {
    /// Its address.
    pub(crate) address: IpAddr,
    /// Its port; null where the client's is kept.
    pub(crate) port: Option<u16>,
}

/// Where a packet goes on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NextHopExplanation {
    /// Index of the interface.
    pub(crate) interface: u32,
    /// Destination MAC address.
    pub(crate) mac: String,
    /// Source MAC address.
    pub(crate) source_mac: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "packet    {}", self.packet)?;
        writeln!(f, "verdict   {}: {}", self.verdict, self.because)?;
        if let Some(service) = &self.service {
            writeln!(f, "service   {service}")?;
        }
        if let Some(slot) = self.slot {
            writeln!(f, "slot      {slot}, {}", if self.moving { "moving" } else { "settled" })?;
        }
        if let Some(BackendExplanation { address, port }) = &self.backend {
            match port {
                Some(port) => writeln!(f, "backend   {address} port {port}")?,
                None => writeln!(f, "backend   {address}, the client's port")?,
            }
        }
        if let Some(rewrite) = &self.rewrite {
            writeln!(f, "rewrite   {rewrite}")?;
        }
        if let Some(hop) = &self.next_hop {
            writeln!(f, "next hop  interface {} to {} from {}", hop.interface, hop.mac, hop.source_mac)?;
        }
        Ok(())
    }
}
