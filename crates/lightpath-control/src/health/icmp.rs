//! ICMP: an echo request is answered (RFC 792, RFC 4443).

use std::io;
use std::net::{IpAddr, SocketAddr};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::cause::Cause;
use super::http::AGENT;

/// Types of messages.
const ECHO: u8 = 8;
const ECHO_REPLY: u8 = 0;
const ECHO6: u8 = 128;
const ECHO6_REPLY: u8 = 129;
/// Bytes of an echo's header.
const HEADER: usize = 8;
/// More than the longest IPv4 header and our message.
const LARGEST_ANSWER: usize = 256;

/// Sends an echo request and waits for its reply.
pub(super) async fn check(address: IpAddr) -> Result<(), Cause> {
    // To the runtime a datagram socket is one: what it sends and receives is the kernel's business.
    let socket = UdpSocket::from_std(open(address)?.into())?;
    let request = request(address, fastrand::u16(..), fastrand::u16(..));
    socket.send(&request).await?;
    let mut answer = [0; LARGEST_ANSWER];
    loop {
        let length = socket.recv(&mut answer).await?;
        if is_reply(address, &answer[..length], &request) {
            return Ok(());
        }
    }
}

/// A raw socket, connected, so that it takes what comes from this address only, and ICMP errors that answer what it sent.
fn open(address: IpAddr) -> io::Result<Socket> {
    let socket = match address {
        IpAddr::V4(_) => {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
            setsockopt(&socket, Ipv4RecvErr, &true)?;
            socket
        }
        IpAddr::V6(_) => {
            let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
            setsockopt(&socket, Ipv6RecvErr, &true)?;
            socket
        }
    };
    socket.set_nonblocking(true)?;
    socket.connect(&SocketAddr::new(address, 0).into())?;
    Ok(socket)
}

fn request(address: IpAddr, identifier: u16, sequence: u16) -> Vec<u8> {
    let kind = if address.is_ipv4() { ECHO } else { ECHO6 };
    let mut message = vec![kind, 0, 0, 0];
    message.extend(identifier.to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend(AGENT.as_bytes());
    if address.is_ipv4() {
        // The kernel fills in the checksum of ICMPv6 only, which covers addresses too (RFC 3542, section 3.1).
        let checksum = checksum(&message);
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
    }
    message
}

/// The internet checksum (RFC 1071).
fn checksum(message: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    let mut sum: u32 = message.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    #[expect(clippy::cast_possible_truncation, reason = "folded to 16 bits")]
    let sum = sum as u16;
    !sum
}

/// Whether what came is the reply to a request: another checker's, or the request itself on loopback, are not.
fn is_reply(address: IpAddr, received: &[u8], request: &[u8]) -> bool {
    let (message, kind) = match address {
        // A raw IPv4 socket gets the header too (raw(7)); its length is in words.
        IpAddr::V4(_) => {
            let header = received.first().map_or(0, |first| usize::from(first & 0xf) * 4);
            (received.get(header..).unwrap_or_default(), ECHO_REPLY)
        }
        IpAddr::V6(_) => (received, ECHO6_REPLY),
    };
    message.len() >= HEADER && message[..2] == [kind, 0] && message[4..] == request[4..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_checksum_that_its_reply_is_checked_by() {
        let message = request([10, 0, 0, 1].into(), 0x1234, 7);
        assert_eq!(checksum(&message), 0, "a message with its checksum sums up to nothing");
        assert_eq!(checksum(&[0x45, 0x00, 0x01]), !0x4600, "an odd byte counts as the upper half of a word");
    }

    #[test]
    fn only_the_reply_to_the_request_is_one() {
        let address = IpAddr::from([10, 0, 0, 1]);
        let request = request(address, 1, 2);
        let mut reply = vec![0x45; 20];
        reply.extend(&request);
        assert!(!is_reply(address, &reply, &request), "the request itself");
        reply[20] = ECHO_REPLY;
        assert!(is_reply(address, &reply, &request));
        reply[27] ^= 1;
        assert!(!is_reply(address, &reply, &request), "another sequence number");
        for length in 0..reply.len() {
            assert!(!is_reply(address, &reply[..length], &request), "cut to {length} bytes");
        }
    }
}
