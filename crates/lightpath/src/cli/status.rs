//! Which part of the status is shown, in which order, and how often.

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use glob::Pattern;

use crate::status::STATES;

/// What to show of the status.
#[derive(Args, Debug, Default)]
pub(crate) struct Status {
    /// Only services of this name, in which * stands for any characters. May be given several times.
    #[arg(long = "service", value_name = "NAME", value_parser = Pattern::new)]
    pub(crate) services: Vec<Pattern>,
    /// Only backends in this state, and their services. May be given several times.
    #[arg(long = "state", value_name = "STATE", value_parser = PossibleValuesParser::new(STATES))]
    pub(crate) states: Vec<String>,
    /// Which services and backends come first, instead of the order of the configuration.
    #[arg(long, value_enum, value_name = "ORDER")]
    pub(crate) sort: Option<Order>,
    /// Show it anew every so many seconds, until Ctrl-C.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", conflicts_with = "json", value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub(crate) watch: Option<u16>,
}

/// What services and backends are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// By name and address.
    Name,
    /// Most packets first.
    Packets,
    /// Most packets per second first.
    Rate,
    /// Services with most drops first.
    Drops,
}
