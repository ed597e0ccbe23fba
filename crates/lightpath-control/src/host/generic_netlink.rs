//! Generic netlink, as far as a question with one answer needs it (Documentation/userspace-api/netlink/intro.rst).

use std::io;

use netlink_sys::protocols::NETLINK_GENERIC;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;

/// The controller, which knows the numbers of all families (uapi/linux/genetlink.h).
const CONTROLLER: Family = Family { number: 0x10 };
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// Lengths of `nlmsghdr` and `genlmsghdr`, and of the header of an attribute, in bytes.
const MESSAGE_HEADER: usize = 16;
const GENERIC_HEADER: usize = 4;
const ATTRIBUTE_HEADER: usize = 4;

const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLMSG_ERROR: u16 = 2;
const NLA_F_NESTED: u16 = 0x8000;
/// The two uppermost bits of an attribute's type are flags.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// A family of generic netlink, by the number that this kernel has given it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    number: u16,
}

impl Family {
    /// The family of this name; `None` when this kernel has none.
    pub(super) fn named(name: &str) -> io::Result<Option<Self>> {
        let mut text = name.as_bytes().to_vec();
        text.push(0);
        let answer = match CONTROLLER.ask(CTRL_CMD_GETFAMILY, &attribute(CTRL_ATTR_FAMILY_NAME, &text)) {
            Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => return Ok(None),
            answer => answer?,
        };
        let number = attributes(&answer).find(|(kind, _)| *kind == CTRL_ATTR_FAMILY_ID);
        let number = number.and_then(|(_, value)| value.try_into().ok()).map(u16::from_ne_bytes);
        number.map(|number| Some(Self { number })).ok_or_else(|| malformed("a family without a number"))
    }

    /// Sends a command, in the network namespace of the calling thread; the attributes of the answer.
    pub(super) fn ask(self, command: u8, attributes: &[u8]) -> io::Result<Vec<u8>> {
        let length = MESSAGE_HEADER + GENERIC_HEADER + attributes.len();
        let mut message = u32::try_from(length).map_err(io::Error::other)?.to_ne_bytes().to_vec();
        message.extend(self.number.to_ne_bytes());
        // A command that only sets something is answered by its acknowledgement, error 0, alone.
        message.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        // Sequence number and port: one question a socket, which the kernel numbers.
        message.extend([0; 8]);
        // Version 1, and two bytes that are reserved.
        message.extend([command, 1, 0, 0]);
        message.extend(attributes);

        let socket = Socket::new(NETLINK_GENERIC)?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.send(&message, 0)?;
        let (answer, _) = socket.recv_from_full()?;
        let header = answer.first_chunk::<MESSAGE_HEADER>().ok_or_else(|| malformed("no header"))?;
        let body = answer.get(MESSAGE_HEADER..).unwrap_or_default();
        if u16::from_ne_bytes([header[4], header[5]]) == NLMSG_ERROR {
            let errno = body.first_chunk().copied().map(i32::from_ne_bytes);
            return match errno {
                Some(0) => Ok(Vec::new()),
                Some(errno) => Err(io::Error::from_raw_os_error(-errno)),
                None => Err(malformed("no error number")),
            };
        }
        Ok(body.get(GENERIC_HEADER..).unwrap_or_default().to_vec())
    }
}

/// An attribute as it is sent, with its padding.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(ATTRIBUTE_HEADER + value.len()).unwrap_or(u16::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// An attribute made of others.
pub(super) fn nested(kind: u16, within: &[Vec<u8>]) -> Vec<u8> {
    attribute(kind | NLA_F_NESTED, &within.concat())
}

/// The attributes in a run of them, as type and value. What is cut short ends it.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let header = bytes.first_chunk::<ATTRIBUTE_HEADER>()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & NLA_TYPE_MASK;
        let value = bytes.get(ATTRIBUTE_HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the kernel's answer has {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_they_are_written_and_never_beyond_their_end() {
        let written = [attribute(2, b"rx-lro\0"), nested(3, &[attribute(1, &[])])].concat();
        let read: Vec<_> = attributes(&written).collect();
        assert_eq!(read, [(2, &b"rx-lro\0"[..]), (3, &[4, 0, 1, 0][..])]);
        for cut in 0..written.len() {
            assert!(attributes(&written[..cut]).count() <= 2, "{cut}");
        }
        assert_eq!(attributes(&[3, 0, 1, 0]).count(), 0, "shorter than its own header");
    }

    #[test]
    fn this_kernel_has_the_controller_and_no_nonsense() {
        assert_eq!(Family::named("nlctrl").unwrap().unwrap().number, CONTROLLER.number);
        assert!(Family::named("nonsense").unwrap().is_none());
    }
}
