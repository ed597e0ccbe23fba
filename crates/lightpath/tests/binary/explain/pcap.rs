//! Capture files, written and read byte by byte: the reader under test has no part in them.

/// Link type: Ethernet.
pub(super) const ETHERNET: u16 = 1;
/// Link type: raw IP.
pub(super) const RAW: u16 = 101;
/// Link type: Linux cooked capture v1.
pub(super) const LINUX_SLL: u16 = 113;
/// Link type: Linux cooked capture v2.
pub(super) const LINUX_SLL2: u16 = 276;

const MAGIC: u32 = 0xa1b2_c3d4;
const SNAPLEN: u32 = 262_144;

/// A packet of which a capture has kept the first `kept` bytes.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) bytes: Vec<u8>,
    pub(super) kept: usize,
}

/// A pcap file (draft-ietf-opsawg-pcap), little-endian.
pub(super) fn pcap(link_type: u16, packets: &[Vec<u8>]) -> Vec<u8> {
    let whole = |bytes: &Vec<u8>| Cut { bytes: bytes.clone(), kept: bytes.len() };
    pcap_of_cut(link_type, &packets.iter().map(whole).collect::<Vec<_>>())
}

/// A pcap file whose packets were cut.
pub(super) fn pcap_of_cut(link_type: u16, packets: &[Cut]) -> Vec<u8> {
    let mut file = words(&[MAGIC, 2 | 4 << 16, 0, 0, SNAPLEN, u32::from(link_type)]);
    for Cut { bytes, kept } in packets {
        file.extend(words(&[0, 0, length(*kept), length(bytes.len())]));
        file.extend(&bytes[..*kept]);
    }
    file
}

/// A pcapng file (draft-ietf-opsawg-pcapng) with an interface for each list of packets.
pub(super) fn pcapng(interfaces: &[(u16, &[Vec<u8>])]) -> Vec<u8> {
    let mut file = block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]));
    for (link_type, _) in interfaces {
        file.extend(block(1, &words(&[u32::from(*link_type), SNAPLEN])));
    }
    for ((_, packets), interface) in interfaces.iter().zip(0..) {
        for packet in *packets {
            let mut body = words(&[interface, 0, 0, length(packet.len()), length(packet.len())]);
            body.extend(packet);
            body.resize(body.len().next_multiple_of(4), 0);
            file.extend(block(6, &body));
        }
    }
    file
}

/// The packets of a pcap file that tcpdump wrote on this machine.
pub(super) fn read(file: &[u8]) -> Vec<Vec<u8>> {
    let word = |at: usize| u32::from_ne_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), MAGIC);
    let mut packets = Vec::new();
    let mut at = 24;
    while at < file.len() {
        let kept = word(at + 8) as usize;
        packets.push(file[at + 16..at + 16 + kept].to_vec());
        at += 16 + kept;
    }
    packets
}

fn block(number: u32, body: &[u8]) -> Vec<u8> {
    let length = length(body.len() + 12);
    [&words(&[number, length]), body, &words(&[length])].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn length(bytes: usize) -> u32 {
    bytes.try_into().unwrap()
}
