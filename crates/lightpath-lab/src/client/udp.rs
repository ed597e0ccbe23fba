//! A UDP flow of questions and answers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::namespace::Namespace;

/// One UDP 5-tuple: a socket bound and connected.
#[derive(Debug)]
pub struct UdpFlow {
    socket: UdpSocket,
    place: String,
    to: SocketAddr,
    asked: u64,
}

impl UdpFlow {
    /// Opens a flow from `from` (or an address of the kernel's choice) and a free port to `to`.
    pub fn open(namespace: &Namespace, from: Option<IpAddr>, to: SocketAddr) -> Result<Self, Error> {
        let from = from.unwrap_or(match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        });
        let socket = namespace
            .run(|| {
                let socket = UdpSocket::bind((from, 0))?;
                socket.connect(to)?;
                Ok(socket)
            })?
            .map_err(|error| namespace.error(format!("open a UDP flow from {from} to {to}"), error))?;
        Ok(Self { socket, place: namespace.name().to_owned(), to, asked: 0 })
    }

    /// The client's address and port.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        self.socket.local_addr().map_err(|error| {
            Error::new(&self.place, format!("see the address of a UDP flow to {}", self.to), error)
        })
    }

    /// Sends one datagram and returns the name of the server that answers it within `timeout`.
    ///
    /// It is not sent again: a lost datagram is an error of kind [`io::ErrorKind::TimedOut`], and an ICMP port
    /// unreachable is [`io::ErrorKind::ConnectionRefused`].
    pub fn ask(&mut self, timeout: Duration) -> Result<String, Error> {
        self.asked += 1;
        self.exchange(&self.asked.to_string(), timeout)
            .map_err(|error| Error::new(&self.place, format!("get a UDP answer from {}", self.to), error))
    }

    fn exchange(&self, question: &str, timeout: Duration) -> io::Result<String> {
        let deadline = Instant::now() + timeout;
        self.socket.send(question.as_bytes())?;
        let mut buffer = [0; 512];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.socket.set_read_timeout(Some(left))?;
            let length = match self.socket.recv(&mut buffer) {
                // What a socket timeout looks like on Linux (socket(7), SO_RCVTIMEO).
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                result => result?,
            };
            // An answer to an earlier question that came late is not this one's.
            let answer = String::from_utf8_lossy(&buffer[..length]);
            if let Some((name, echoed)) = answer.rsplit_once(' ')
                && echoed == question
            {
                return Ok(name.to_owned());
            }
        }
    }
}
