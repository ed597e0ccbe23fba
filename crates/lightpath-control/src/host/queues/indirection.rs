//! The indirection table: which queue each part of all hashes leads to (`ethtool -x`).
//!
//! It is read by netlink since Linux 6.3 (7112a04664bf) and set since 6.17. On an earlier kernel it is left as it is: there a driver shares
//! equally by itself when its channels change, unless somebody has set a table by hand.

use std::io;

use super::super::device::header;
use super::super::generic_netlink::{Family, attribute, attributes};
use super::channels::is_unsupported;

/// `ETHTOOL_MSG_RSS_GET`, `_SET` and their attributes (uapi/linux/ethtool_netlink.h).
const RSS_GET: u8 = 38;
const RSS_SET: u8 = 48;
const HEADER: u16 = 1;
const TABLE: u16 = 4;

/// The table; `None` if the driver has none, or this kernel does not tell.
pub(super) fn read(interface: &str) -> io::Result<Option<Vec<u32>>> {
    let Some(ethtool) = Family::named("ethtool")? else { return Ok(None) };
    let answer = match ethtool.ask(RSS_GET, &header(HEADER, interface)?) {
        Err(error) if is_unsupported(&error) => return Ok(None),
        answer => answer?,
    };
    let table = attributes(&answer).find(|(kind, _)| *kind == TABLE).map(|(_, value)| value);
    let table = table.filter(|table| !table.is_empty());
    Ok(table.map(|table| table.as_chunks().0.iter().map(|queue| u32::from_ne_bytes(*queue)).collect()))
}

/// A table as it is written in the ledger.
pub(super) fn written(table: &[u32]) -> String {
    let queues: Vec<String> = table.iter().map(u32::to_string).collect();
    queues.join(",")
}

/// Sets a table that is [written] so.
pub(super) fn write(interface: &str, table: &str) -> io::Result<()> {
    let Some(ethtool) = Family::named("ethtool")? else { return Err(io::ErrorKind::Unsupported.into()) };
    let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "no table of queues");
    let queues = table.split(',').map(str::parse).collect::<Result<Vec<u32>, _>>().map_err(wrong)?;
    let bytes: Vec<u8> = queues.iter().flat_map(|queue| queue.to_ne_bytes()).collect();
    let request = [header(HEADER, interface)?, attribute(TABLE, &bytes)].concat();
    ethtool.ask(RSS_SET, &request).map(drop).map_err(|error| match error.raw_os_error() {
        Some(libc::EOPNOTSUPP) => io::Error::other(format!(
            "this kernel or driver does not let it be set by netlink; run: ethtool -X {interface} equal {}",
            queues.iter().max().map_or(1, |last| last + 1)
        )),
        _ => error,
    })
}
