//! The command line as it is typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

const AFTER_HELP: &str = "\
Exit status: 0 when all is well, 1 when the answer is no or the input is wrong, 2 when the command line is wrong.

Examples:
  lightpath demo                       a whole setup in network namespaces, with real traffic
  lightpath check -c lightpath.toml    is the configuration right?
  lightpath run                        the daemon, with /etc/lightpath/lightpath.toml
  lightpath status                     services, backends, rates and drops";

const EXPLAIN_HELP: &str = "\
Exit status: 1 also when a packet would be dropped.

Example:
  lightpath explain --src 198.51.100.7:40000 --dst 203.0.113.10:443 --proto tcp --syn
  lightpath explain --pcap capture.pcap
  lightpath explain --pcap capture.pcap --packet 3
  ssh client tcpdump -c 10 -w - port 443 | lightpath explain --pcap -";

/// A layer-4 load balancer that forwards in XDP.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Which of several load balancers on this host.
    #[arg(short, long, global = true, default_value = "default", value_name = "NAME", value_parser = instance_name)]
    pub(crate) instance: String,
    /// Print JSON for machines.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Directory of the API socket.
    #[arg(long, global = true, default_value = "/run/lightpath", value_name = "DIR", hide_short_help = true)]
    pub(crate) run_dir: PathBuf,
    /// Directory of what the daemon remembers.
    #[arg(
        long,
        global = true,
        default_value = "/var/lib/lightpath",
        value_name = "DIR",
        hide_short_help = true
    )]
    pub(crate) state_dir: PathBuf,
    /// Directory, on a BPF file system, of what outlives the daemon.
    #[arg(
        long,
        global = true,
        default_value = "/sys/fs/bpf/lightpath",
        value_name = "DIR",
        hide_short_help = true
    )]
    pub(crate) bpf_dir: PathBuf,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show it at work: a whole setup in network namespaces, with real traffic.
    #[command(after_help = "Example:\n  lightpath demo --requests 500")]
    Demo(Demo),
    /// Run the daemon. On SIGTERM it stops and leaves the data plane forwarding.
    #[command(after_help = "Example:\n  lightpath run -c /etc/lightpath/lightpath.toml")]
    Run(ConfigFile),
    /// Check a configuration file and say everything that is wrong with it.
    #[command(after_help = "Example:\n  lightpath check -c lightpath.toml")]
    Check(ConfigFile),
    /// Apply the daemon's configuration file as it is now: what is different, or nothing if it is wrong. SIGHUP does the same.
    #[command(after_help = "Example:\n  lightpath reload")]
    Reload,
    /// Show services, backends, rates and drops of the running daemon.
    #[command(after_help = "Example:\n  lightpath status --json | jq '.services[].backends[].state'")]
    Status,
    /// Say what becomes of a flow or a packet, and why. Nothing is sent and nothing changes.
    #[command(after_help = EXPLAIN_HELP)]
    Explain(Explain),
    /// Measure what a packet costs on this host, in nanoseconds, beside the least that any program could cost.
    #[command(after_help = "Example:\n  lightpath bench --rounds 50")]
    Bench(Bench),
    /// Take the data plane off its interfaces and undo what was changed on this host.
    #[command(after_help = "Example:\n  lightpath detach --instance default")]
    Detach,
}

/// The configuration file.
#[derive(Args, Debug)]
pub(crate) struct ConfigFile {
    /// The configuration file.
    #[arg(short, long, default_value = "/etc/lightpath/lightpath.toml", value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// What the demonstration does.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Requests in each of the scenes.
    #[arg(long, default_value_t = 2000, value_name = "N", value_parser = clap::value_parser!(u32).range(60..=100_000))]
    pub(crate) requests: u32,
    /// Keep the setup until Ctrl-C, with commands to try in it.
    #[arg(long, conflicts_with = "json")]
    pub(crate) hold: bool,
}

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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Flow {
    /// Source address and port.
    pub(crate) src: SocketAddr,
    /// Destination address and port.
    pub(crate) dst: SocketAddr,
    /// Protocol.
    pub(crate) proto: Proto,
    /// TCP: the packet that opens the connection.
    #[serde(default)]
    pub(crate) syn: bool,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Proto {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// How long the measurement takes.
#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// Rounds; each measures every row once, in turn.
    #[arg(long, default_value_t = 25, value_name = "N", value_parser = clap::value_parser!(u32).range(5..=1000))]
    pub(crate) rounds: u32,
}

/// Instances name files and directories.
fn instance_name(name: &str) -> Result<String, String> {
    let valid = !name.is_empty()
        && name.len() <= 32
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if valid { Ok(name.to_owned()) } else { Err("write 1 to 32 letters, digits, - or _".to_owned()) }
}
