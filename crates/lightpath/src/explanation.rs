//! What would become of a packet: the shape of `/v1/explain` and `explain --json`, whose names are stable, and its text.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::hex::Hex;

/// A packet to explain. The body of `POST /v1/explain` is a list of them, and its answer a list of [`Explanation`]s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Sample {
    /// Its bytes from the Ethernet header on, as many as are known.
    #[schema(value_type = String)]
    pub(crate) bytes: Hex,
    /// Its length on the wire, in bytes. What lies beyond `bytes` is payload that a capture left out.
    pub(crate) length: usize,
    /// Whether the MAC addresses in `bytes` are its own; where a capture has none, they are made up.
    pub(crate) has_link: bool,
}

/// The answer of `lightpath explain`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Explanation {
    /// Its number in the capture, from 1; only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<u64>,
    /// The packet that was asked about, in words.
    pub(crate) summary: String,
    /// `forward`, `drop` or `pass`; `unknown` when the capture cut off what it depends on.
    pub(crate) verdict: String,
    /// In words, why.
    pub(crate) because: String,
    /// Of a dropped packet: the reason under which it is counted.
    pub(crate) reason: Option<String>,
    /// The service it belongs to.
    pub(crate) service: Option<String>,
    /// The keyed hash that places it in the service's table, 64 bits as hex digits; none for replies.
    pub(crate) hash: Option<String>,
    /// What was hashed: `5-tuple`, or `source address` where the service is sticky.
    pub(crate) hashed: Option<String>,
    /// Its slot in the service's table, from 0; none for replies.
    pub(crate) slot: Option<u32>,
    /// The number of slots in that table.
    pub(crate) slots: Option<u32>,
    /// Whether the slot's backend was changed while flows of an earlier one may live on.
    pub(crate) moving: bool,
    /// The backend that the slot names for new flows.
    pub(crate) current: Option<BackendExplanation>,
    /// Of a moving slot: the backend that earlier flows stay with.
    pub(crate) previous: Option<BackendExplanation>,
    /// The backend it goes to, or comes from.
    pub(crate) backend: Option<BackendExplanation>,
    /// What is done to its headers, in words.
    pub(crate) rewrite: Option<String>,
    /// The header fields that come out different. Empty when the question was a flow and not a packet.
    pub(crate) changes: Vec<FieldChange>,
    /// How it leaves.
    pub(crate) next_hop: Option<NextHopExplanation>,
    /// The packet as it leaves, from its Ethernet header on, or as the kernel gets it where that chooses the next hop; none
    /// when it does not go on, or the question was a flow.
    #[schema(value_type = Option<String>)]
    pub(crate) packet: Option<Hex>,
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct BackendExplanation {
    /// Its address.
    #[schema(value_type = String)]
    pub(crate) address: IpAddr,
    /// Its port; null where the client's is kept.
    pub(crate) port: Option<u16>,
}

/// A header field before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct FieldChange {
    /// Its name.
    pub(crate) field: String,
    /// What the packet came with; null when that is not known.
    pub(crate) before: Option<String>,
    /// What it leaves with.
    pub(crate) after: String,
}

/// Where a packet goes on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct NextHopExplanation {
    /// Index of the interface.
    pub(crate) interface: u32,
    /// Its name; null when it has just gone.
    pub(crate) name: Option<String>,
    /// The VLAN that the frame leaves on; null untagged.
    pub(crate) vlan: Option<u16>,
    /// Destination MAC address.
    pub(crate) mac: String,
    /// Source MAC address.
    pub(crate) source_mac: String,
}

/// Everything that is known, a line each.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "packet    {}", self.summary)?;
        writeln!(f, "verdict   {}: {}", self.verdict, self.because)?;
        if let Some(service) = &self.service {
            writeln!(f, "service   {service}")?;
        }
        if let (Some(hash), Some(hashed)) = (&self.hash, &self.hashed) {
            writeln!(f, "hash      {hash} of its {hashed}")?;
        }
        if let (Some(slot), Some(slots)) = (self.slot, self.slots) {
            write!(f, "slot      {slot} of {slots}, ")?;
            match (&self.current, &self.previous) {
                _ if !self.moving => writeln!(f, "settled")?,
                (Some(current), Some(previous)) => {
                    writeln!(f, "moving from {previous} to {current}")?;
                }
                (Some(current), None) => writeln!(f, "moving to {current}")?,
                (None, Some(previous)) => writeln!(f, "moving away from {previous}, to no backend yet")?,
                (None, None) => writeln!(f, "moving")?,
            }
        }
        if let Some(backend) = &self.backend {
            writeln!(f, "backend   {backend}")?;
        }
        if let Some(rewrite) = &self.rewrite {
            writeln!(f, "rewrite   {rewrite}")?;
        }
        let mut label = "changes";
        for change in &self.changes {
            writeln!(f, "{label:<9} {change}")?;
            label = "";
        }
        if let Some(hop) = &self.next_hop {
            writeln!(f, "next hop  {hop}")?;
        }
        Ok(())
    }
}

impl Explanation {
    /// The answer as one of many, in a line.
    pub(crate) fn line(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            write!(f, "{:>5}  {:<7}  {}", self.number.unwrap_or_default(), self.verdict, self.summary)?;
            if let Some(service) = &self.service {
                write!(f, "; {service}")?;
            }
            match (&self.reason, &self.backend, self.next_hop.is_some()) {
                (Some(reason), ..) => write!(f, ": {reason}"),
                (None, Some(backend), true) => write!(f, ": to {backend}"),
                (None, Some(backend), false) => write!(f, ": from {backend}"),
                (None, None, _) => Ok(()),
            }
        })
    }
}

impl fmt::Display for BackendExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{} port {port}", self.address),
            None => write!(f, "{}, the client's port", self.address),
        }
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, before, after } = self;
        match before {
            Some(before) => write!(f, "{field} {before} becomes {after}"),
            None => write!(f, "{field} becomes {after}"),
        }
    }
}

impl fmt::Display for NextHopExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interface, name, vlan, mac, source_mac } = self;
        match name {
            Some(name) => write!(f, "{mac} on {name}, from {source_mac}")?,
            None => write!(f, "{mac} on interface {interface}, which is gone, from {source_mac}")?,
        }
        vlan.map_or(Ok(()), |vlan| write!(f, ", on VLAN {vlan}"))
    }
}
