//! The command line as it is typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

const AFTER_HELP: &str = "\
Exit status: 0 when all is well, 1 when the answer is no or the input is wrong, 2 when the command line is wrong.

Examples:
  lightpath demo                       a whole setup in network namespaces, with real traffic
  lightpath check -c lightpath.toml    is the configuration right?
  lightpath run                        the daemon, with /etc/lightpath/lightpath.toml
  lightpath status                     services, backends, rates and drops";

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
    /// Show services, backends, rates and drops of the running daemon.
    #[command(after_help = "Example:\n  lightpath status --json | jq '.services[].backends[].state'")]
    Status,
    /// Say which backend a flow goes to, and why. Nothing is sent and nothing changes.
    #[command(
        after_help = "Example:\n  lightpath explain --src 198.51.100.7:40000 --dst 203.0.113.10:443 --proto tcp --syn"
    )]
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

/// The flow to explain.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Explain {
    /// Source address and port: a client's, or a backend's for a reply.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) src: SocketAddr,
    /// Destination address and port.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) dst: SocketAddr,
    /// Protocol.
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    pub(crate) proto: Proto,
    /// TCP: the packet that opens the connection, rather than a later one.
    #[arg(long)]
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
