mod capture;
mod link;

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use hyper::Method;

use super::status::unanswered;
use crate::api;
use crate::cli::{Explain, Flow};
use crate::explanation::{Explanation, Sample};
use crate::hex::Hex;
use crate::instance::Instance;
use crate::output::{print, print_line};
use capture::Capture;
use link::Framed;

/// Packets that are asked about at once, for each of which the daemon would otherwise copy its tables.
const BATCH: usize = 256;
/// Bytes of them; the daemon takes questions of 8 MiB, in which a byte is two digits.
const BATCH_BYTES: usize = 1 << 20;
/// Characters of hex digits that are read at most: a packet of 64 KiB, as widely spaced as anybody does.
const LONGEST_TEXT: u64 = 1 << 20;

/// `lightpath explain`: what the running data plane would do with a packet. Exit 1 when it would not reach anybody.
pub(crate) fn run(instance: &Instance, asked: &Explain, json: bool) -> Result<ExitCode> {
    let client = Client { instance, json };
    if let Some(flow) = asked.flow() {
        return client.flow(&flow);
    }
    if let Some(digits) = &asked.hex {
        let Framed { bytes, has_link, .. } = link::guess(&bytes(digits)?);
        return client.one(Sample { length: bytes.len(), bytes: Hex(bytes), has_link }, None);
    }
    let Some(file) = &asked.pcap else {
        bail!("nothing to explain: give --src, --hex or --pcap");
    };
    match asked.packet {
        Some(number) => client.numbered(file, number),
        None => client.all(file),
    }
}

/// Asks the daemon, and prints what it says.
struct Client<'a> {
    instance: &'a Instance,
    json: bool,
}

impl Client<'_> {
    fn flow(&self, flow: &Flow) -> Result<ExitCode> {
        let Flow { src, dst, proto, syn } = flow;
        if src.is_ipv4() != dst.is_ipv4() {
            bail!("--src {src} and --dst {dst} are of different families");
        }
        let proto = serde_json::to_value(proto)?;
        let proto = proto.as_str().unwrap_or_default();
        let path = format!("/v1/explain?src={src}&dst={dst}&proto={proto}&syn={syn}");
        let body = api::get(&self.instance.place, &path).map_err(|error| unanswered(self.instance, error))?;
        self.print(&serde_json::from_str(&body).context("the daemon is of another version")?)
    }

    /// One packet, in detail.
    fn one(&self, sample: Sample, number: Option<u64>) -> Result<ExitCode> {
        let [explanation] = <[Explanation; 1]>::try_from(self.ask(&[sample])?).map_err(|answers| {
            anyhow::anyhow!("the daemon gave {} answers to one question", answers.len())
        })?;
        self.print(&Explanation { number, ..explanation })
    }

    /// One packet of a capture, in detail.
    fn numbered(&self, file: &Path, number: u64) -> Result<ExitCode> {
        let mut capture = Capture::open(file)?;
        while let Some(packet) = capture.next()? {
            if packet.number == number {
                return self.one(capture.sample(&packet)?, Some(number));
            }
        }
        bail!("{} has no packet {number}; its last is {}", capture.name(), capture.count())
    }

    /// The packets of a capture, a line each; in detail if there is only one.
    fn all(&self, file: &Path) -> Result<ExitCode> {
        let mut capture = Capture::open(file)?;
        let mut tally = Tally::default();
        loop {
            let Batch { mut samples, end } = Batch::of(&mut capture);
            if let (1, 0, Some(Ok(()))) = (samples.len(), tally.packets, &end) {
                return self.one(samples.remove(0), Some(1));
            }
            for explanation in self.ask(&samples)? {
                tally.add(&explanation);
                let explanation = Explanation { number: Some(tally.packets), ..explanation };
                if self.json {
                    print_line(serde_json::to_string(&explanation)?)?;
                } else {
                    print_line(explanation.line())?;
                }
            }
            match end {
                None => {}
                Some(Ok(())) => break,
                Some(Err(problem)) => return Err(problem),
            }
        }
        if tally.packets == 0 {
            bail!("{} has no packets", capture.name());
        }
        if !self.json {
            print_line(&tally)?;
        }
        Ok(tally.exit_code())
    }

    fn ask(&self, samples: &[Sample]) -> Result<Vec<Explanation>> {
        if samples.is_empty() {
            return Ok(Vec::new());
        }
        let body = api::send(
            &self.instance.place,
            Method::POST,
            "/v1/explain",
            Some(serde_json::to_string(samples)?),
        )
        .map_err(|error| unanswered(self.instance, error))?;
        serde_json::from_str(&body).context("the daemon is of another version")
    }

    fn print(&self, explanation: &Explanation) -> Result<ExitCode> {
        if self.json {
            print_line(serde_json::to_string(explanation)?)?;
        } else {
            print(explanation)?;
        }
        Ok(if explanation.verdict == "drop" { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// As many packets as are asked about at once.
struct Batch {
    samples: Vec<Sample>,
    /// Whether the capture ends behind them, and how.
    end: Option<Result<()>>,
}

impl Batch {
    fn of(capture: &mut Capture) -> Self {
        let (mut samples, mut bytes) = (Vec::new(), 0);
        while samples.len() < BATCH && bytes < BATCH_BYTES {
            match capture.next().and_then(|packet| packet.map(|packet| capture.sample(&packet)).transpose()) {
                Ok(Some(sample)) => {
                    bytes += sample.bytes.0.len();
                    samples.push(sample);
                }
                Ok(None) => return Self { samples, end: Some(Ok(())) },
                Err(problem) => return Self { samples, end: Some(Err(problem)) },
            }
        }
        Self { samples, end: None }
    }
}

/// Packets by verdict.
#[derive(Default)]
struct Tally {
    packets: u64,
    forwarded: u64,
    passed: u64,
    dropped: u64,
}

impl Tally {
    fn add(&mut self, explanation: &Explanation) {
        self.packets += 1;
        match explanation.verdict.as_str() {
            "forward" => self.forwarded += 1,
            "pass" => self.passed += 1,
            "drop" => self.dropped += 1,
            _ => {}
        }
    }

    fn exit_code(&self) -> ExitCode {
        if self.dropped > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packets, forwarded, passed, dropped } = self;
        write!(f, "{packets} packets: {forwarded} forwarded, {passed} passed, {dropped} dropped")?;
        match packets - forwarded - passed - dropped {
            0 => Ok(()),
            unknown => write!(f, ", {unknown} unknown"),
        }
    }
}

/// The bytes of `--hex`.
fn bytes(digits: &str) -> Result<Vec<u8>> {
    let (what, text) = if digits == "-" {
        let mut text = String::new();
        let what = "standard input";
        io::stdin().take(LONGEST_TEXT + 1).read_to_string(&mut text).context(what)?;
        (what, text)
    } else {
        ("--hex", digits.to_owned())
    };
    if text.len() as u64 > LONGEST_TEXT {
        bail!("{what} has more than {LONGEST_TEXT} characters, which is no packet");
    }
    let Hex(bytes) = Hex::parse(&text).context(what)?;
    if bytes.is_empty() {
        bail!("{what}: there are no hex digits");
    }
    Ok(bytes)
}
