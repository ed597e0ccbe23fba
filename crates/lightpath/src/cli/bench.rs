//! `lightpath bench` as it is typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use glob::Pattern;

pub(super) const HELP: &str = "\
All that it takes is made in network namespaces, and gone when it ends.

Example:
  lightpath bench --quick
  lightpath bench --rows 'TCP4*' --rounds 100 --json
  lightpath bench --against katran.o:balancer_ingress
  lightpath bench all --keep report.json --html report.html
  lightpath bench --base target/old/lightpath --rounds 50";

/// What is measured, how often, and where the results go.
#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// What to measure.
    #[arg(value_enum, value_name = "PART", default_value = "packets")]
    parts: Vec<Part>,
    /// A first look: few rounds.
    #[arg(long)]
    pub(crate) quick: bool,
    /// packets: rounds, each of which measures every row once [default: 25, with --quick 5].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(5..=1000))]
    pub(crate) rounds: Option<u32>,
    /// packets: rows of these names, with * for anything. May be given several times.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) rows: Vec<Pattern>,
    /// packets: measure another XDP program as well: one of an ELF object, or a pinned one, which can have been configured. It
    /// gets packets from 198.51.100.10 to port 80 of 203.0.113.10, and in IPv6 to 2001:db8:0:f::10. May be given several times.
    #[arg(long, value_name = "FILE:PROGRAM|PIN")]
    pub(crate) against: Vec<String>,
    /// packets: measure another build of Lightpath in turn with this one, and fail if this one is slower.
    #[arg(long, value_name = "BINARY", conflicts_with_all = ["against", "keep", "html", "write", "from", "quick"])]
    pub(crate) base: Option<PathBuf>,
    /// How many times the cost of the other build is too much.
    #[arg(long, value_name = "TIMES", default_value_t = 1.1, requires = "base")]
    pub(crate) limit: f64,
    /// Measure a round for each line of standard input: what --base has the other build do.
    #[arg(long, hide = true)]
    pub(crate) in_step: bool,
    /// Measure nothing: take the results from this file, which --keep has written or --json printed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "rounds", "rows", "against"])]
    pub(crate) from: Option<PathBuf>,
    /// Write the results to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) keep: Option<PathBuf>,
    /// Write the results with plots to this file, for a browser.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the results to this file in Markdown, and plots beside it.
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// What packets cost in the program.
    Packets,
    /// What a link carries through one CPU: Lightpath, the kernel's routing, nftables.
    Path,
    /// What clients see: TCP and UDP through Lightpath, nftables, HAProxy and NGINX.
    Clients,
    /// What configurations take: time to build, start and change, and memory.
    Control,
    /// Two receive queues on two CPUs beside one.
    Queues,
    /// What watching costs: packets while nobody watches, while metrics are read, and during a capture.
    Watching,
    /// All parts.
    All,
}

impl Bench {
    /// Whether anything was said of how packets are to be measured.
    pub(crate) fn is_about_packets(&self) -> bool {
        self.rounds.is_some() || !self.rows.is_empty() || !self.against.is_empty()
    }

    /// What to measure.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let all = [Part::Packets, Part::Path, Part::Clients, Part::Control, Part::Queues, Part::Watching];
        if self.parts.contains(&Part::All) { all.to_vec() } else { self.parts.clone() }
    }
}
