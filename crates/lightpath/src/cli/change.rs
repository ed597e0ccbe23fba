//! Changes at run time, as they are typed.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use lightpath_control::overrides::Endpoint;

pub(super) const BACKEND_HELP: &str = "\
Example:
  lightpath backend add web 10.0.0.14:8080
  lightpath backend drain web 10.0.0.11
  lightpath backend weight web 10.0.0.12:8080 50
  lightpath backend remove web 10.0.0.11";

pub(super) const SERVICE_HELP: &str = "\
Example:
  lightpath service add dns --vip 203.0.113.53 --port 53 --protocol udp --backend 10.0.0.11 --backend 10.0.0.12
  lightpath service add --file service.toml
  lightpath service remove dns";

/// What is done to a backend.
#[derive(Debug, Subcommand)]
pub(crate) enum Backend {
    /// Add a backend to a service.
    Add {
        /// The service.
        service: String,
        /// The backend.
        #[arg(value_name = "ADDRESS[:PORT]")]
        backend: Endpoint,
        /// Its share of new flows relative to the other backends.
        #[arg(default_value_t = 100)]
        weight: u16,
        /// Its identity in QUIC connection IDs, in hex.
        #[arg(long, value_name = "HEX")]
        server_id: Option<String>,
    },
    /// Take a backend out. It gets no new flows and keeps those that it has until they end.
    Remove {
        #[command(flatten)]
        target: Target,
        /// Do not wait for its flows to end.
        #[arg(long)]
        now: bool,
    },
    /// Give a backend no new flows. It keeps those that it has.
    Drain(Target),
    /// End a drain.
    Enable(Target),
    /// Give a backend another weight.
    Weight {
        #[command(flatten)]
        target: Target,
        /// Its share of new flows relative to the other backends; 0 takes none.
        weight: u16,
    },
}

/// A backend of a service.
#[derive(Args, Debug)]
pub(crate) struct Target {
    /// The service.
    pub(crate) service: String,
    /// The backend; its port may be left out where no other backend has the address.
    #[arg(value_name = "ADDRESS[:PORT]")]
    pub(crate) backend: Endpoint,
}

/// What is done to a service.
#[derive(Debug, Subcommand)]
pub(crate) enum Service {
    /// Add a service.
    Add(NewService),
    /// Take a service out. It gets no new flows; those that it has may end first.
    Remove {
        /// The service.
        service: String,
        /// Do not wait for its flows to end.
        #[arg(long)]
        now: bool,
    },
}

/// A new service: by the most common keys, or by a file with all of them.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("given").args(["name", "file"]).required(true))]
pub(crate) struct NewService {
    /// Its name.
    #[arg(requires_all = ["vip", "port", "protocol"])]
    pub(crate) name: Option<String>,
    /// A file with one `[[service]]`, as in the configuration file; - reads it from standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["vip", "port", "protocol", "forward", "sticky", "backend"])]
    pub(crate) file: Option<PathBuf>,
    /// The address that clients talk to.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) vip: Option<IpAddr>,
    /// The port: one, a range as 8000-8999, or any.
    #[arg(long)]
    pub(crate) port: Option<String>,
    /// The protocol.
    #[arg(long, value_enum)]
    pub(crate) protocol: Option<Protocol>,
    /// How packets reach a backend.
    #[arg(long, value_enum)]
    pub(crate) forward: Option<Forward>,
    /// What keeps a client with one backend.
    #[arg(long, value_enum)]
    pub(crate) sticky: Option<Sticky>,
    /// A backend; may be given several times.
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub(crate) backend: Vec<Endpoint>,
}

/// Protocols, as in the configuration.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    Quic,
}

/// Forwarding modes, as in the configuration.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Forward {
    Nat,
    Fullnat,
    Dsr,
    Ipip,
    Gue,
}

/// Stickiness, as in the configuration.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Sticky {
    None,
    SourceIp,
}
