//! Which packets are captured, and how many.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use lightpath_abi::{Ending, MAX_SNAPLEN};
use lightpath_core::Reason;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) const HELP: &str = "\
While packets are captured, a program that copies them runs in place of the one that does not; no packet is lost at either change.

Example:
  lightpath capture -w web.pcapng --service web --count 100
  lightpath capture -w - --verdict dropped | tshark -r - -V
  lightpath capture -w - --client 192.0.2.7:40000 | wireshark -k -i -
  lightpath capture -w sample.pcapng --every 1000 --seconds 600";

/// What `lightpath capture` takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Capture {
    /// Where to write to, in pcapng; - is standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) write: PathBuf,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

/// Which packets are captured, and how many: the body of `POST /v1/capture`.
#[derive(Args, Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wanted {
    /// Only packets of this service.
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// Only packets to and from this backend: an address, or one with a port.
    #[arg(long, value_name = "BACKEND")]
    pub(crate) backend: Option<String>,
    /// Only packets from or to this address, prefix, or address and port.
    #[arg(long, value_name = "CLIENT")]
    pub(crate) client: Option<String>,
    /// Only packets of which this became. May be given several times; without it, all but those that were passed to the kernel.
    #[arg(long = "verdict", value_name = "VERDICT", value_parser = PossibleValuesParser::new(Ending::ALL.map(Ending::name)))]
    pub(crate) verdicts: Vec<String>,
    /// Only packets that were dropped for this reason. May be given several times.
    #[arg(long = "reason", value_name = "REASON", value_parser = PossibleValuesParser::new(Reason::ALL.map(Reason::name)))]
    pub(crate) reasons: Vec<String>,
    /// Look at one packet in so many.
    #[arg(long, value_name = "N", default_value_t = Self::default().every, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) every: u32,
    /// Bytes to keep of each packet, as it came and as it left.
    #[arg(long, value_name = "BYTES", default_value_t = Self::default().snaplen, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SNAPLEN)))]
    pub(crate) snaplen: u32,
    /// End after so many packets.
    #[arg(long, value_name = "PACKETS", default_value_t = Self::default().count, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: u64,
    /// End before the file has more bytes than this.
    #[arg(long, value_name = "BYTES", default_value_t = Self::default().size, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) size: u64,
    /// End after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = Self::default().seconds, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: u32,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            service: None,
            backend: None,
            client: None,
            verdicts: Vec::new(),
            reasons: Vec::new(),
            every: 1,
            snaplen: 256,
            count: 10_000,
            size: 100_000_000,
            seconds: 60,
        }
    }
}
