//! Packets of a pcap or pcapng file, one after another, in constant memory.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use super::link::{self, Framed};
use crate::explanation::Sample;
use crate::hex::Hex;

/// No block of a file may be larger. libpcap writes no packet of more than 256 KiB (`MAXIMUM_SNAPLEN`).
const LARGEST_BLOCK: usize = 1 << 19;
/// How much of a file is read to tell what it is.
const HEAD: u64 = 1 << 16;
/// The link type of a pcap file shares its word with what is known of frame check sequences (draft-ietf-opsawg-pcap, 4).
const LINK_TYPE_MASK: i32 = 0xffff;

/// A packet as a capture has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Captured {
    /// Its number in the file, from 1, as Wireshark and `tcpdump --number` count.
    pub(super) number: u64,
    /// What its first header is.
    pub(super) link_type: i32,
    /// The bytes that were captured.
    pub(super) bytes: Vec<u8>,
    /// Its length on the wire.
    pub(super) length: usize,
}

/// A file that is being read.
pub(super) struct Capture {
    reader: Box<dyn PcapReaderIterator + Send>,
    /// For messages.
    name: String,
    /// Link types of the interfaces; a pcap file has one.
    link_types: Vec<i32>,
    read: u64,
}

impl Capture {
    /// Opens a file; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Self::read("standard input", io::stdin());
        }
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| name.clone())?;
        Self::read(&name, file)
    }

    fn read(name: &str, mut source: impl Read + Send + 'static) -> Result<Self> {
        let mut head = Vec::new();
        source.by_ref().take(HEAD).read_to_end(&mut head).with_context(|| name.to_owned())?;
        if head.is_empty() {
            bail!("{name} is empty; a capture has at least a header");
        }
        let whole = Cursor::new(head).chain(source);
        match create_reader(LARGEST_BLOCK, whole) {
            Ok(reader) => Ok(Self { reader, name: name.to_owned(), link_types: Vec::new(), read: 0 }),
            Err(PcapError::Incomplete(_)) => bail!("{name} ends within its header"),
            Err(_) => bail!("{name} is neither a pcap nor a pcapng file"),
        }
    }

    /// The next packet; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Captured>> {
        loop {
            let (length, packet) = match self.reader.next() {
                Ok((length, block)) => (length, packet(&block, &mut self.link_types)),
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::Incomplete(_)) => {
                    if self.reader.refill().is_err() {
                        bail!("{}: cannot be read on after packet {}", self.name, self.read);
                    }
                    continue;
                }
                Err(error) => bail!("{} {} after packet {}", self.name, broken(&error), self.read),
            };
            self.reader.consume(length);
            if let Some(packet) = packet {
                self.read += 1;
                let (link_type, bytes, length) =
                    packet.with_context(|| format!("{}, packet {}", self.name, self.read))?;
                return Ok(Some(Captured { number: self.read, link_type, bytes, length }));
            }
        }
    }

    /// A packet of it as the daemon takes it.
    pub(super) fn sample(&self, packet: &Captured) -> Result<Sample> {
        let Captured { number, link_type, bytes, length } = packet;
        let Framed { bytes, has_link, grown } =
            link::frame(*link_type, bytes).with_context(|| format!("{}, packet {number}", self.name))?;
        Ok(Sample { bytes: Hex(bytes), length: length.saturating_add_signed(grown), has_link })
    }

    /// What it is called in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Packets read so far.
    pub(super) fn count(&self) -> u64 {
        self.read
    }
}

/// What stops the reading of a file, as its predicate.
fn broken<I>(error: &PcapError<I>) -> String {
    match error {
        PcapError::UnexpectedEof => "ends within a block".to_owned(),
        PcapError::BufferTooSmall => format!("has a block of more than {LARGEST_BLOCK} bytes"),
        _ => "has a block that contradicts itself".to_owned(),
    }
}

/// Link type, bytes and length of a block's packet, if it has one; interfaces are taken note of.
fn packet(block: &PcapBlockOwned<'_>, link_types: &mut Vec<i32>) -> Option<Result<(i32, Vec<u8>, usize)>> {
    let (interface, bytes, length) = match block {
        PcapBlockOwned::LegacyHeader(header) => {
            link_types.push(header.network.0 & LINK_TYPE_MASK);
            return None;
        }
        PcapBlockOwned::Legacy(packet) => (0, packet.data, packet.origlen),
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            link_types.clear();
            return None;
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
            let Linktype(number) = interface.linktype;
            link_types.push(number);
            return None;
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            (packet.if_id, packet.packet_data(), packet.orig_len())
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => (0, packet.packet_data(), packet.orig_len()),
        PcapBlockOwned::NG(_) => return None,
    };
    let Some(link_type) = link_types.get(interface as usize) else {
        return Some(Err(anyhow::anyhow!("interface {interface} of the capture is not described in it")));
    };
    Some(Ok((*link_type, bytes.to_vec(), length as usize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pcap file with two packets of four bytes.
    fn pcap() -> Vec<u8> {
        let packet = [0, 0, 4, 4, 0x0102_0304];
        words([[0xa1b2_c3d4, 2 | 4 << 16, 0, 0, 1 << 16, 1].as_slice(), &packet, &packet])
    }

    /// The same as pcapng, little-endian.
    fn pcapng() -> Vec<u8> {
        let section = [0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX, 28];
        let packet = [6, 36, 0, 0, 0, 4, 4, 0x0102_0304, 36];
        words([section.as_slice(), &[1, 20, 1, 1 << 16, 20], &packet, &packet])
    }

    fn words<const N: usize>(words: [&[u32]; N]) -> Vec<u8> {
        words.concat().iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The packets up to the end or the first mistake.
    fn read(file: Vec<u8>) -> (Vec<Captured>, Result<()>) {
        let mut packets = Vec::new();
        let mut capture = match Capture::read("file", Cursor::new(file)) {
            Ok(capture) => capture,
            Err(error) => return (packets, Err(error)),
        };
        loop {
            match capture.next() {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => return (packets, Ok(())),
                Err(error) => return (packets, Err(error)),
            }
            assert!(packets.len() <= 2, "there are more packets than the file has");
        }
    }

    #[test]
    fn both_kinds_of_file_have_the_same_packets() {
        let (packets, end) = read(pcap());
        end.unwrap();
        assert_eq!(packets.len(), 2);
        assert_eq!(packets[1], Captured { number: 2, link_type: 1, bytes: vec![4, 3, 2, 1], length: 4 });
        assert_eq!(read(pcapng()).0, packets);
    }

    #[test]
    fn a_file_that_ends_too_early_is_read_as_far_as_it_goes() {
        for (file, packet) in [(pcap(), 20), (pcapng(), 36)] {
            for length in 0..file.len() {
                let (packets, end) = read(file[..length].to_vec());
                assert_eq!(
                    packets.len(),
                    length.saturating_sub(file.len() - 2 * packet) / packet,
                    "{length}"
                );
                let between = length + packet == file.len() || length + 2 * packet == file.len();
                let interface = file.len() == pcapng().len() && length == 28;
                assert_eq!(end.is_ok(), between || interface, "{length}: {end:?}");
            }
        }
    }

    #[test]
    fn a_corrupted_file_is_read_or_refused_and_never_read_for_ever() {
        for file in [pcap(), pcapng()] {
            for place in 0..file.len() {
                for value in [0, 0x7f, 0xff] {
                    let mut corrupted = file.clone();
                    corrupted[place] = value;
                    let (packets, _) = read(corrupted);
                    assert!(packets.iter().all(|packet| packet.bytes.len() < file.len()), "{place}: {value}");
                }
            }
        }
    }
}
