//! A capture as pcapng (draft-ietf-opsawg-pcapng): each packet as it came and as it left, with what became of it as a comment.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lightpath_abi::{Ending, Sample};
use lightpath_core::{Reason, ReplyKind};
use lightpath_dataplane::Copied;
use nix::time::{ClockId, clock_gettime};
use pcap_parser::{
    EnhancedPacketBlock, InterfaceDescriptionBlock, Linktype, OptionCode, PcapNGOption, SectionHeaderBlock,
    ToVec,
};

use super::names::{self, Names};

/// Times are nanoseconds: 10^-9 seconds.
const RESOLUTION: u8 = 9;

/// Which way a packet went (`epb_flags`, section 4.3.1).
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// Makes blocks of packets.
#[derive(Debug)]
pub(super) struct Writer {
    names: Names,
    snaplen: u32,
    /// What the monotonic clock lags behind the one that people use.
    lag: Duration,
    /// The interfaces that were described, by index, with their numbers in the file.
    interfaces: BTreeMap<u32, u32>,
}

impl Writer {
    pub(super) fn new(names: Names, snaplen: u32) -> Self {
        Self { names, snaplen, lag: lag(), interfaces: BTreeMap::new() }
    }

    /// What a file begins with.
    pub(super) fn head() -> Vec<u8> {
        let version = concat!("lightpath ", env!("CARGO_PKG_VERSION"));
        let mut block = SectionHeaderBlock {
            block_type: 0,
            block_len1: 0,
            bom: 0,
            major_version: 1,
            minor_version: 0,
            section_len: -1,
            options: vec![option(OptionCode::ShbUserAppl, version.as_bytes())],
            block_len2: 0,
        };
        block.to_vec().unwrap_or_default()
    }

    /// A packet as it came, and as it left if it did.
    pub(super) fn packet(&mut self, copied: &Copied<'_>) -> Vec<u8> {
        let sample = &copied.sample;
        let comment = comment(sample, &self.names);
        let mut blocks = Vec::new();
        let came = self.interface(sample.interface, &mut blocks);
        self.block(came, sample, copied.before, sample.length, INBOUND, &comment, &mut blocks);
        if !copied.after.is_empty() {
            // What the kernel sends leaves where the kernel says, which is not known here.
            let left = if sample.egress == 0 { came } else { self.interface(sample.egress, &mut blocks) };
            let comment = format!("as it left: {comment}");
            self.block(left, sample, copied.after, sample.length_after, OUTBOUND, &comment, &mut blocks);
        }
        blocks
    }

    /// The number of an interface, described at its first packet.
    fn interface(&mut self, index: u32, blocks: &mut Vec<u8>) -> u32 {
        if let Some(number) = self.interfaces.get(&index) {
            return *number;
        }
        let number = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        let mut block = InterfaceDescriptionBlock {
            block_type: 0,
            block_len1: 0,
            linktype: Linktype::ETHERNET,
            reserved: 0,
            snaplen: self.snaplen,
            options: vec![option(OptionCode::IfName, names::interface(index).as_bytes())],
            block_len2: 0,
            if_tsresol: RESOLUTION,
            if_tsoffset: 0,
        };
        blocks.extend(block.to_vec().unwrap_or_default());
        self.interfaces.insert(index, number);
        number
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of a block")]
    fn block(
        &self,
        interface: u32,
        sample: &Sample,
        bytes: &[u8],
        length: u32,
        direction: u32,
        comment: &str,
        blocks: &mut Vec<u8>,
    ) {
        let time = (self.lag + Duration::from_nanos(sample.time)).as_nanos();
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(4), 0);
        let mut block = EnhancedPacketBlock {
            block_type: 0,
            block_len1: 0,
            if_id: interface,
            ts_high: u32::try_from(time >> 32 & 0xffff_ffff).unwrap_or_default(),
            ts_low: u32::try_from(time & 0xffff_ffff).unwrap_or_default(),
            caplen: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            origlen: length,
            data: &padded,
            options: vec![
                option(OptionCode::Comment, comment.as_bytes()),
                option(OptionCode(2), &direction.to_le_bytes()),
                // epb_queue
                option(OptionCode(6), &sample.queue.to_le_bytes()),
            ],
            block_len2: 0,
        };
        blocks.extend(block.to_vec().unwrap_or_default());
    }
}

/// An option, whose value is padded to whole words (section 3.5).
fn option(code: OptionCode, value: &[u8]) -> PcapNGOption<'static> {
    let mut padded = value.to_vec();
    padded.resize(value.len().next_multiple_of(4), 0);
    PcapNGOption { code, len: u16::try_from(value.len()).unwrap_or(u16::MAX), value: Cow::Owned(padded) }
}

/// What the monotonic clock lags behind the one that people use.
pub(super) fn lag() -> Duration {
    let monotonic = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(monotonic)
}

/// What became of a packet, in words.
fn comment(sample: &Sample, names: &Names) -> String {
    let service = || match sample.service {
        0 => String::new(),
        index => format!(" of {}", names.service(index)),
    };
    let reason = || {
        let reason = usize::from(sample.reason).checked_sub(1).and_then(|number| Reason::ALL.get(number));
        reason.map_or("unknown", |reason| reason.name())
    };
    match Ending::ALL.get(usize::from(sample.ending)) {
        Some(Ending::Passed) | None => "passed to the kernel".to_owned(),
        Some(Ending::Dropped) => format!("dropped{}: {}", service(), reason()),
        Some(Ending::ToBackend) => format!("to backend {}{}", names.backend(sample.backend), service()),
        Some(Ending::ToClient) => {
            format!("to the client, from backend {}{}", names.backend(sample.backend), service())
        }
        Some(Ending::Answered) => {
            let kind = ReplyKind::NAMES.get(usize::from(sample.answer)).unwrap_or(&"answer");
            let because = if sample.reason == 0 { String::new() } else { format!(": {}", reason()) };
            format!("answered with {kind}{}{because}", service())
        }
    }
}
