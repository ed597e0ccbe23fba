//! What `lightpath explain` is asked.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) const HELP: &str = "\
Exit status: 1 also when a packet would be dropped.

Example:
  lightpath explain --src 198.51.100.7:40000 --dst 203.0.113.10:443 --proto tcp --syn
  lightpath explain --pcap capture.pcap
  lightpath explain --pcap capture.pcap --packet 3
  ssh client tcpdump -c 10 -w - port 443 | lightpath explain --pcap -";

/// What to explain: a flow, a packet, or a capture.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("asked").args(["src", "hex", "pcap"]).required(true))]
pub(crate) struct Explain {
    /// Source address and port: a client's, or a backend's for a reply.
    #[arg(long, value_name = "ADDRESS:PORT", requires_all = ["dst", "proto"])]
    src: Option<SocketAddr>,
    /// Destination address and port.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "src", conflicts_with_all = ["hex", "pcap"])]
    dst: Option<SocketAddr>,
    /// Protocol.
    #[arg(long, value_enum, value_name = "PROTOCOL", requires = "src", conflicts_with_all = ["hex", "pcap"])]
    proto: Option<Proto>,
    /// TCP: the packet that opens the connection, rather than a later one.
    #[arg(long, requires = "src", conflicts_with_all = ["hex", "pcap"])]
    syn: bool,
    /// A packet in hex digits, from its Ethernet or its IP header on; - reads them from standard input.
    #[arg(long, value_name = "DIGITS")]
    pub(crate) hex: Option<String>,
    /// The packets of a pcap or pcapng file, a line each; - reads it from standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
    /// One packet of the file in detail, by its number from 1.
    #[arg(long, value_name = "N", requires = "pcap", conflicts_with_all = ["src", "hex"], value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) packet: Option<u64>,
}

impl Explain {
    /// The flow, if that is the question.
    pub(crate) fn flow(&self) -> Option<Flow> {
        Some(Flow { src: self.src?, dst: self.dst?, proto: self.proto?, syn: self.syn })
    }
}

/// A flow, and which packet of it: the query of `GET /v1/explain`.
#[derive(Clone, Debug, Serialize, Deserialize, IntoParams)]
pub(crate) struct Flow {
    /// Source address and port.
    #[param(value_type = String)]
    pub(crate) src: SocketAddr,
    /// Destination address and port.
    #[param(value_type = String)]
    pub(crate) dst: SocketAddr,
    /// Protocol.
    pub(crate) proto: Proto,
    /// TCP: the packet that opens the connection.
    #[serde(default)]
    pub(crate) syn: bool,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Proto {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}
