//! The command line as it is typed.

mod bench;
mod capture;
mod change;
mod decap;
mod explain;
mod reference;
mod remote;
mod status;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
For a second or two it looks for a packet of each reason. Meanwhile a program that copies packets runs in place of the one that does
not, as for `lightpath capture`, which goes before it; no packet is lost at either change.

Example:
  lightpath drops
  lightpath drops --follow
  lightpath drops --json | jq '.drops[] | select(.per_second > 0)'
  lightpath drops --json | jq -r '.drops[0].example.bytes' | lightpath explain --hex -";

const DOCTOR_HELP: &str = "\
It needs no daemon, and may run beside one. Exit status: 1 also when traffic would be lost.

Example:
  lightpath doctor
  lightpath doctor --fix
  lightpath doctor --json | jq '.findings[] | select(.severity == \"error\")'";

pub(crate) use bench::{Bench, Part as BenchPart};
pub(crate) use capture::{Capture, Wanted};
pub(crate) use change::{Backend, NewService, Service};
pub(crate) use decap::Decap;
pub(crate) use explain::{Explain, Flow, Proto};
pub(crate) use reference::markdown as reference;
pub(crate) use remote::Remote;
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
    #[command(flatten)]
    pub(crate) remote: Remote,
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
    #[command(after_help = "Example:\n  lightpath demo --requests 500\n  lightpath demo --watch")]
    Demo(Demo),
    /// Run the daemon. On SIGTERM it stops and leaves the data plane forwarding.
    #[command(after_help = "Example:\n  lightpath run -c /etc/lightpath/lightpath.toml")]
    Run(Run),
    /// Have the running daemon go on as another version. It is tried on the live tables first; no packet is lost.
    #[command(
        after_help = "Example:\n  lightpath upgrade\n  lightpath upgrade --binary /usr/local/bin/lightpath"
    )]
    Upgrade(Upgrade),
    /// Take the packet path back that ran before the last upgrade. Not possible where the upgrade has migrated the maps.
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
    #[command(subcommand, after_help = change::BACKEND_HELP)]
    Backend(Backend),
    /// Add or remove a service while everything runs. It lasts until `reload --discard`.
    #[command(subcommand, after_help = change::SERVICE_HELP)]
    Service(Service),
    /// Show services, backends, rates and drops of the running daemon.
    #[command(after_help = STATUS_HELP)]
    Status(StatusOptions),
    /// Services and backends live, on a terminal: sort, filter, look closer, drops, processors.
    #[command(after_help = "Example:\n  lightpath top\n  lightpath top --instance edge")]
    Top,
    /// Say what was dropped, why, and what to do about it, with an example of what is dropped right now.
    #[command(after_help = DROPS_HELP)]
    Drops(Drops),
    /// Capture packets as they come and as they leave, with what became of each.
    #[command(after_help = capture::HELP)]
    Capture(Capture),
    /// Say what becomes of a flow or a packet, and why. Nothing is sent and nothing changes.
    #[command(after_help = explain::HELP)]
    Explain(Explain),
    /// Measure what a packet costs on this host, in nanoseconds, beside the least that any program could cost.
    #[command(after_help = bench::HELP)]
    Bench(Bench),
    /// On a backend: take packets out of IPIP and GUE, from listed balancers only, until SIGTERM or Ctrl-C.
    #[command(after_help = decap::HELP)]
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
    /// Do not look for packets that are dropped right now; the program that runs is not exchanged for one that copies packets.
    #[arg(long)]
    pub(crate) no_examples: bool,
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
    /// docs/commands.md.
    Commands,
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
    /// At the end let requests go on, and open `lightpath top` on them; a status page for the browser is there too.
    #[arg(long, conflicts_with_all = ["json", "hold"])]
    pub(crate) watch: bool,
}

/// Instances name files and directories.
fn instance_name(name: &str) -> Result<String, String> {
    let valid = !name.is_empty()
        && name.len() <= 32
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if valid { Ok(name.to_owned()) } else { Err("write 1 to 32 letters, digits, - or _".to_owned()) }
}
