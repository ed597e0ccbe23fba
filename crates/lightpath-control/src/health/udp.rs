//! UDP: a datagram is answered, with what the answer must contain.

use std::net::SocketAddr;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
use tokio::net::UdpSocket;

use super::cause::{Cause, Unreachable};
use super::http::contains;
use super::peer::Peer;
use crate::model::UdpCheck;

/// How much of an answer is looked at.
pub(super) const LARGEST_ANSWER: usize = 4096;

/// Sends a datagram, whose first answer decides.
pub(super) async fn check(check: &UdpCheck, to: &Peer) -> Result<(), Cause> {
    let socket = connect(to).await?;
    socket.send(&check.send).await.map_err(unanswered)?;
    let mut answer = [0; LARGEST_ANSWER];
    let length = socket.recv(&mut answer).await.map_err(unanswered)?;
    match &check.expect {
        Some(want) if !contains(&answer[..length], want) => {
            Err(Cause::Missing { read: length, want: String::from_utf8_lossy(want).into_owned() })
        }
        _ => Ok(()),
    }
}

/// A socket of a port of its own, that takes datagrams of the backend only, and ICMP errors that answer its own.
pub(super) async fn connect(to: &Peer) -> Result<UdpSocket, Cause> {
    let socket = to.datagrams().await?;
    // Otherwise only some errors are told, "port unreachable" among them, but not "host unreachable" (ip(7), IP_RECVERR).
    match to.address {
        SocketAddr::V4(_) => setsockopt(&socket, Ipv4RecvErr, &true),
        SocketAddr::V6(_) => setsockopt(&socket, Ipv6RecvErr, &true),
    }
    .map_err(std::io::Error::from)?;
    socket.connect(to.address).await?;
    Ok(socket)
}

/// There are no connections to refuse: ICMP said that nobody has the port.
pub(super) fn unanswered(error: std::io::Error) -> Cause {
    match Cause::from(error) {
        Cause::Refused => Cause::Unreachable(Unreachable::Port),
        cause => cause,
    }
}
