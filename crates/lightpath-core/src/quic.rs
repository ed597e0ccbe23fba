//! QUIC by connection ID: a connection stays with its backend though its client's address changes.
//!
//! Backends put their server ID into the connection IDs that they issue, in the plaintext form of
//! draft-ietf-quic-load-balancers-21, section 5.4: three bits of configuration ID, five of any use, the server ID, and a nonce.

use lightpath_abi::{Address, BackendNumber, Entry, ServiceIndex, Tag};

use crate::directory::find;
use crate::wire::quic::Header;
use crate::wire::udp;
use crate::{Frame, Packet, Part, Tables};

/// The backend whose server ID is in a packet's connection ID, while it can serve.
#[inline(always)]
pub fn backend<P: Packet, T: Tables>(
    frame: &Frame,
    packet: &P,
    service: &Entry,
    tables: &T,
) -> Option<BackendNumber> {
    // What is quoted went the other way, to a connection ID of the client's choice.
    if matches!(frame.part, Part::Later | Part::Quoted) {
        return None;
    }
    let header = Header::load(packet, frame.transport + udp::LENGTH).ok()?;
    let length = service.server_id_length;
    if header.is_long() && (header.is_clients_choice() || header.connection_id_length() <= length) {
        return None;
    }
    let [first, second] = header.connection_id();
    if first >> 61 != u64::from(service.config_id) {
        return None;
    }
    let line = find(tables, listed(first, second, length), Tag::server_id(service.service))?;
    let backend = tables.backend(line.backend)?;
    (backend.service == service.service && backend.serving != 0).then_some(line.backend)
}

/// The server ID of so many bytes, 1 to 15, in a connection ID, as the directory lists it.
#[inline(always)]
const fn listed(first: u64, second: u64, length: u8) -> Address {
    let (high, low) = (first << 8 | second >> 56, second << 8);
    // Whatever a table says, a shift stays within its word.
    let bits = (length as u32 & 15) * 8;
    if bits < 64 {
        Address { high: high & !(u64::MAX >> bits), low: 0 }
    } else {
        Address { high, low: low & !(u64::MAX >> (bits - 64)) }
    }
}

/// A server ID as the directory lists it: left-aligned.
#[must_use]
pub fn server_id(bytes: &[u8]) -> Address {
    let mut octets = [0; 16];
    for (octet, byte) in octets.iter_mut().zip(bytes) {
        *octet = *byte;
    }
    let bits = u128::from_be_bytes(octets);
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken in turn")]
    let address = Address { high: (bits >> 64) as u64, low: bits as u64 };
    address
}

/// The line that leads from a server ID to its backend.
#[must_use]
pub fn server_id_line(id: Address, service: ServiceIndex, backend: BackendNumber) -> Entry {
    Entry { address: id, tag: Tag::server_id(service), service, backend, ..Entry::default() }
}
