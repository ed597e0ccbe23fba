//! Which backend a QUIC packet names.

use lightpath_abi::{BackendNumber, Entry};
use lightpath_core::host::Image;
use lightpath_core::{Frame, Part, server_id, server_id_line};

/// The backend that a QUIC packet's connection ID names, while it serves.
pub(super) fn backend_of_connection(
    frame: &Frame,
    service: &Entry,
    packet: &[u8],
    image: &Image,
) -> Option<BackendNumber> {
    if service.server_id_length == 0 || matches!(frame.part, Part::Later | Part::Quoted) {
        return None;
    }
    let [config, id @ ..] = connection_id(packet.get(frame.transport + 8..)?)? else { return None };
    let id = id.get(..usize::from(service.server_id_length)).filter(|_| config >> 5 == service.config_id)?;
    let line = server_id_line(server_id(id), service.service, 0);
    let named = |entry: &&Entry| entry.tag == line.tag && entry.address == line.address;
    let number = image.entries.iter().find(named)?.backend;
    let backend = &image.backends[&number];
    (backend.service == service.service && backend.serving == 1).then_some(number)
}

/// The destination connection ID of a QUIC packet, if a server may have chosen it, with what follows where its length is not
/// told (RFC 8999, 5; RFC 9000, 17.2; RFC 9369, 3.2).
fn connection_id(payload: &[u8]) -> Option<&[u8]> {
    // Shorter ones have no header protection sample, which is 16 bytes from the fourth after the shortest connection ID on.
    let [first, rest @ ..] = payload.get(..24).map(|_| payload)? else { return None };
    if first & 0x80 == 0 {
        return Some(rest);
    }
    let (version, [length, rest @ ..]) = rest.split_first_chunk::<4>()? else { return None };
    let is_handshake = match u32::from_be_bytes(*version) {
        1 => first >> 4 & 3 == 2,
        0x6b33_43cf => first >> 4 & 3 == 3,
        _ => false,
    };
    is_handshake.then(|| rest.get(..usize::from(*length)).unwrap_or(rest))
}
