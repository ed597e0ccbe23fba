//! Channels: the queues of an interface with their interrupts, as its driver makes them (`ethtool -l`).

use std::io;

use nix::errno::Errno;

use super::super::device::header;
use super::super::generic_netlink::{Family, attribute, attributes};
use super::{APART, COMBINED};

/// `ETHTOOL_MSG_CHANNELS_GET`, `_SET` and their attributes (uapi/linux/ethtool_netlink.h, since Linux 5.7, 0c84979c95bd).
const CHANNELS_GET: u8 = 17;
const CHANNELS_SET: u8 = 18;
const HEADER: u16 = 1;
const RX_MAX: u16 = 2;
const TX_MAX: u16 = 3;
const COMBINED_MAX: u16 = 5;
const RX_COUNT: u16 = 6;
const TX_COUNT: u16 = 7;
const COMBINED_COUNT: u16 = 9;

/// The channels of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels {
    /// Of which kind those are that receive.
    pub kind: Kind,
    /// How many receive.
    pub count: u32,
    /// How many could.
    pub most: u32,
    /// How many send; those of both are the same.
    pub sending: u32,
    /// How many could send.
    pub most_sending: u32,
}

/// Which channels receive packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Those that send, too, as most cards have it.
    Combined,
    /// Others than those that send, as on a veth.
    Apart,
}

impl Kind {
    /// As in the ledger.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Combined => COMBINED,
            Self::Apart => APART,
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Combined, Self::Apart].into_iter().find(|kind| kind.name() == name)
    }
}

impl Channels {
    /// The counts, as they are written in the ledger.
    pub(super) fn written(&self) -> String {
        match self.kind {
            Kind::Combined => self.count.to_string(),
            Kind::Apart => format!("{}, {}", self.count, self.sending),
        }
    }
}

/// The channels of an interface; `None` if its driver has none, or this kernel does not tell.
pub(super) fn read(interface: &str) -> io::Result<Option<Channels>> {
    let Some(ethtool) = Family::named("ethtool")? else { return Ok(None) };
    let answer = match ethtool.ask(CHANNELS_GET, &header(HEADER, interface)?) {
        Err(error) if is_unsupported(&error) => return Ok(None),
        answer => answer?,
    };
    Ok(told(&answer))
}

fn told(answer: &[u8]) -> Option<Channels> {
    let number = |wanted| {
        let value = attributes(answer).find(|(kind, _)| *kind == wanted)?.1;
        value.try_into().ok().map(u32::from_ne_bytes)
    };
    let channels = |kind, receiving: [u16; 2], sending: [u16; 2]| {
        let [most, most_sending] = [receiving[1], sending[1]].map(|most| number(most).unwrap_or(0));
        let [count, now_sending] = [receiving[0], sending[0]].map(|count| number(count).unwrap_or(0));
        (most > 0).then_some(Channels { kind, count, most, sending: now_sending, most_sending })
    };
    let combined = [COMBINED_COUNT, COMBINED_MAX];
    channels(Kind::Combined, combined, combined)
        .or_else(|| channels(Kind::Apart, [RX_COUNT, RX_MAX], [TX_COUNT, TX_MAX]))
}

/// Whether a driver has nothing of what was asked for.
pub(super) fn is_unsupported(error: &io::Error) -> bool {
    [Errno::EOPNOTSUPP, Errno::ENODATA].iter().any(|errno| error.raw_os_error() == Some(*errno as i32))
}

/// Sets the counts that are [written](Channels::written).
pub(super) fn write(interface: &str, kind: Kind, written: &str) -> io::Result<()> {
    let Some(ethtool) = Family::named("ethtool")? else { return Err(io::ErrorKind::Unsupported.into()) };
    let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "no number of channels");
    let counts = written.split(", ").map(str::parse).collect::<Result<Vec<u32>, _>>().map_err(wrong)?;
    let kinds: &[u16] = match kind {
        Kind::Combined => &[COMBINED_COUNT],
        Kind::Apart => &[RX_COUNT, TX_COUNT],
    };
    let mut request = header(HEADER, interface)?;
    for (kind, count) in kinds.iter().zip(counts) {
        request.extend(attribute(*kind, &count.to_ne_bytes()));
    }
    ethtool.ask(CHANNELS_SET, &request).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(numbers: &[(u16, u32)]) -> Vec<u8> {
        numbers.iter().flat_map(|(kind, number)| attribute(*kind, &number.to_ne_bytes())).collect()
    }

    #[test]
    fn channels_that_do_both_come_before_those_that_only_receive() {
        let both = answer(&[(COMBINED_MAX, 8), (COMBINED_COUNT, 2), (RX_MAX, 8), (RX_COUNT, 0)]);
        let expected = Channels { kind: Kind::Combined, count: 2, most: 8, sending: 2, most_sending: 8 };
        assert_eq!((told(&both), expected.written().as_str()), (Some(expected), "2"));

        let apart = answer(&[(RX_MAX, 4), (TX_MAX, 3), (RX_COUNT, 1), (TX_COUNT, 2), (COMBINED_MAX, 0)]);
        let expected = Channels { kind: Kind::Apart, count: 1, most: 4, sending: 2, most_sending: 3 };
        assert_eq!((told(&apart), expected.written().as_str()), (Some(expected), "1, 2"));
        assert_eq!(told(&answer(&[(TX_MAX, 3)])), None);
    }
}
