//! The command line as it is typed.

mod bench;
mod change;
mod status;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const AFTER_HELP: &str = "\
Exit status: 0 when all is well, 1 when the answer is no or the input is wrong, 2 when the command line is wrong.

Examples:
  lightpath demo                       a whole setup in network namespaces, with real traffic
  lightpath check -c lightpath.toml    is the configuration right?
  lightpath run                        the daemon, with /etc/lightpath/lightpath.toml
  lightpath status                     services, backends, rates and drops";

const STATUS_HELP: &str = "\
Example:
  lightpath status --service 'web-*' --sort rate
  lightpath status --state down --state unresolved
  lightpath status --watch 1
  lightpath status --json | jq '.services[].backends[].state'";

const DROPS_HELP: &str = "\
Example:
  lightpath drops
  lightpath drops --follow
  lightpath drops --json | jq '.drops[] | select(.per_second > 0)'";

const EXPLAIN_HELP: &str = "\
Exit status: 1 also when a packet would be dropped.

Example:
  lightpath explain --src 198.51.100.7:40000 --dst 203.0.113.10:443 --proto tcp --syn
  lightpath explain --pcap capture.pcap
  lightpath explain --pcap capture.pcap --packet 3
  ssh client tcpdump -c 10 -w - port 443 | lightpath explain --pcap -";

const BACKEND_HELP: &str = "\
Example:
  lightpath backend add web 10.0.0.14:8080
  lightpath backend drain web 10.0.0.11
  lightpath backend weight web 10.0.0.12:8080 50
  lightpath backend remove web 10.0.0.11";

const SERVICE_HELP: &str = "\
Example:
  lightpath service add dns --vip 203.0.113.53 --port 53 --protocol udp --backend 10.0.0.11 --backend 10.0.0.12
  lightpath service add --file service.toml
  lightpath service remove dns";

const DOCTOR_HELP: &str = "\
It needs no daemon, and may run beside one. Exit status: 1 also when traffic would be lost.

Example:
  lightpath doctor
  lightpath doctor --fix
  lightpath doctor --json | jq '.findings[] | select(.severity == \"error\")'";

const DECAP_HELP: &str = "\
Everything else that arrives stays the kernel's, untouched: other packets, tunnels that this host ends itself, tunnels to other
hosts. What comes out of a tunnel has to be for an address of this host, so make the VIP one:

  ip address add 203.0.113.10/32 dev lo

A source address can be forged: have your network drop, at its edge, packets that claim to be from inside.

Example:
  lightpath decap --interface eth0 --from 10.0.0.2 --from 2001:db8:0:1::2
  lightpath decap --interface eth0 --from 10.7.0.0/16 --strict --json";

pub(crate) use bench::{Bench, Part as BenchPart};
pub(crate) use change::{Backend, NewService, Service};
pub(crate) use status::{Order, Status as StatusOptions};

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
    Run(Run),
    /// Have the running daemon go on as another version. It is tried on the live tables first; no packet is lost.
    #[command(
        after_help = "Example:\n  lightpath upgrade\n  lightpath upgrade --binary /usr/local/bin/lightpath"
    )]
    Upgrade(Upgrade),
    /// Take the packet path back that ran before the last upgrade.
    #[command(after_help = "Example:\n  lightpath rollback")]
    Rollback,
    /// Write the packet path as it is loaded into the kernel, an ELF object, to standard output.
    #[command(
        hide = true,
        after_help = "Example:\n  lightpath bpf-object > lightpath.o && llvm-objdump -d lightpath.o"
    )]
    BpfObject,
    /// Write a page of the documentation that is made of what the program knows, to standard output.
    #[command(hide = true, after_help = "Example:\n  lightpath reference metrics > docs/metrics.md")]
    Reference {
        /// Which page.
        #[arg(value_enum)]
        page: Page,
    },
    /// Check a configuration file and say everything that is wrong with it.
    #[command(after_help = "Example:\n  lightpath check -c lightpath.toml")]
    Check(ConfigFile),
    /// Apply the daemon's configuration file as it is now: what is different, or nothing if it is wrong. SIGHUP does the same.
    #[command(after_help = "Example:\n  lightpath reload\n  lightpath reload --discard")]
    Reload(Reload),
    /// Add, remove, drain or weigh a backend while everything runs. It lasts until `reload --discard`.
    #[command(subcommand, after_help = BACKEND_HELP)]
    Backend(Backend),
    /// Add or remove a service while everything runs. It lasts until `reload --discard`.
    #[command(subcommand, after_help = SERVICE_HELP)]
    Service(Service),
    /// Show services, backends, rates and drops of the running daemon.
    #[command(after_help = STATUS_HELP)]
    Status(StatusOptions),
    /// Say what was dropped, why, and what to do about it.
    #[command(after_help = DROPS_HELP)]
    Drops(Drops),
    /// Say what becomes of a flow or a packet, and why. Nothing is sent and nothing changes.
    #[command(after_help = EXPLAIN_HELP)]
    Explain(Explain),
    /// Measure what a packet costs on this host, in nanoseconds, beside the least that any program could cost.
    #[command(after_help = bench::HELP)]
    Bench(Bench),
    /// On a backend: take packets out of IPIP and GUE, from listed balancers only, until SIGTERM or Ctrl-C.
    #[command(after_help = DECAP_HELP)]
    Decap(Decap),
    /// Is this host ready? Looks at kernel, drivers, routes, backends and settings, and says what mends what is wrong.
    #[command(after_help = DOCTOR_HELP)]
    Doctor(Doctor),
    /// Take the data plane off its interfaces and undo what was changed on this host.
    #[command(after_help = "Example:\n  lightpath detach --instance default")]
    Detach,
    /// Write manual pages and completions of shells, for packages.
    #[command(hide = true)]
    Manual(Manual),
}

/// Which drops.
#[derive(Args, Debug)]
pub(crate) struct Drops {
    /// What is dropped from now on, a line each second for each reason, until Ctrl-C.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// What becomes of changes made at run time.
#[derive(Args, Debug)]
pub(crate) struct Reload {
    /// Forget what was changed at run time: the file is all that counts.
    #[arg(long)]
    pub(crate) discard: bool,
    /// Do not wait for flows of services and backends that are taken out.
    #[arg(long)]
    pub(crate) now: bool,
}

/// Which version takes over.
#[derive(Args, Debug)]
pub(crate) struct Upgrade {
    /// The program that the daemon goes on as; this one, unless told.
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,
}

/// How the daemon runs.
#[derive(Args, Debug)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Load the program beside the one that runs, try it on the live tables, and end. Nothing changes.
    #[arg(long = "try")]
    pub(crate) try_out: bool,
    /// Load another build of the packet path than this program's own. For those who work on it; `bpf-object` writes one.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) bpf_object: Option<PathBuf>,
}

/// A page of the documentation.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Page {
    /// docs/drops.md.
    Drops,
    /// docs/events.md.
    Events,
    /// docs/metrics.md.
    Metrics,
}

/// The configuration file.
#[derive(Args, Debug)]
pub(crate) struct ConfigFile {
    /// The configuration file.
    #[arg(short, long, default_value = "/etc/lightpath/lightpath.toml", value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Where the manual goes.
#[derive(Args, Debug)]
pub(crate) struct Manual {
    /// Directory, made if it is not there.
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

/// What is looked at, and whether it is mended.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Mend what can be mended without harm, say what was done, and look again.
    #[arg(long)]
    pub(crate) fix: bool,
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

/// Which tunnels end here.
#[derive(Args, Clone, Debug)]
pub(crate) struct Decap {
    /// The interface that tunnels arrive on. It is an instance of its own, named decap-IF.
    // By its id it stands in the place of the instance that other commands take, and of that one's -i.
    #[arg(id = "instance", short, long = "interface", value_name = "IF")]
    interface: String,
    /// Addresses or prefixes that tunnels are accepted from: those that the balancers send from. May be given several times.
    #[arg(long, required = true, value_name = "CIDR", value_parser = source_prefix)]
    pub(crate) from: Vec<IpNet>,
    /// Drop tunnels from anywhere else; without it they are left to the kernel, which may have tunnels of its own.
    #[arg(long)]
    pub(crate) strict: bool,
    /// At the end leave the program on the interface, for the next start to exchange without a gap.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Where the program runs: in the driver (native), in the kernel's generic path, or where it can.
    #[arg(long, value_enum, value_name = "MODE", default_value = "auto")]
    pub(crate) xdp_mode: XdpMode,
}

impl Decap {
    /// The interface that tunnels arrive on.
    pub(crate) fn interface(&self) -> &str {
        &self.interface
    }

    /// The instance that an interface is.
    pub(crate) fn instance(&self) -> String {
        let keep = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        let interface = self.interface.chars().map(|letter| if keep(letter) { letter } else { '-' });
        format!("decap-{}", interface.collect::<String>())
    }
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum XdpMode {
    Auto,
    Native,
    Generic,
}

impl From<XdpMode> for lightpath_dataplane::XdpMode {
    fn from(mode: XdpMode) -> Self {
        match mode {
            XdpMode::Auto => Self::Auto,
            XdpMode::Native => Self::Native,
            XdpMode::Generic => Self::Generic,
        }
    }
}

/// A source of tunnels: an address, or a prefix without bits behind its length.
fn source_prefix(text: &str) -> Result<IpNet, String> {
    let prefix: IpNet = match text.parse::<IpAddr>() {
        Ok(address) => address.into(),
        Err(_) => text.parse().map_err(|_| "write an address or a prefix, as 10.0.0.2 or 10.7.0.0/16")?,
    };
    let network = prefix.trunc();
    if prefix != network {
        return Err(format!(
            "bits are set behind its length: write {network} for the network, or {} for the address",
            prefix.addr()
        ));
    }
    if prefix.addr() != prefix.addr().to_canonical() {
        return Err(format!("write {} as the IPv4 address that it is", prefix.addr()));
    }
    if prefix.prefix_len() == 0 {
        return Err("that is everybody, who could then send packets in this host's name".to_owned());
    }
    Ok(prefix)
}

/// Instances name files and directories.
fn instance_name(name: &str) -> Result<String, String> {
    let valid = !name.is_empty()
        && name.len() <= 32
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if valid { Ok(name.to_owned()) } else { Err("write 1 to 32 letters, digits, - or _".to_owned()) }
}
