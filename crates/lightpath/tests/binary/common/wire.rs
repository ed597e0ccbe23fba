//! Packets as they arrive on a host's interface, before its kernel makes anything of them.

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use lightpath_lab::Namespace;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, setsockopt, socket, sockopt,
};

const ETHERNET_LENGTH: usize = 14;
/// Bytes that may wait for a look. The kernel counts whole pages for a small packet that went through XDP, so that what it
/// grants by default is soon full while nobody looks, and then packets are missing that did arrive.
const WAITING: usize = 8 << 20;

/// A look at all that arrives on an interface from now on.
#[derive(Debug)]
pub(crate) struct Tap(OwnedFd);

impl Tap {
    /// Opens it.
    pub(crate) fn open(host: &Namespace, interface: &str) -> Self {
        host.run(|| {
            let socket =
                socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_NONBLOCK, SockProtocol::EthAll)
                    .unwrap();
            setsockopt(&socket, sockopt::RcvBufForce, &WAITING).unwrap();
            let mut links = getifaddrs().unwrap().filter(|entry| entry.interface_name == interface);
            let link = links.find_map(|entry| entry.address?.as_link_addr().copied()).unwrap();
            // An address from getifaddrs(3) has protocol 0: the socket keeps the one it was made with.
            bind(socket.as_raw_fd(), &link).unwrap();
            Self(socket)
        })
        .unwrap()
    }

    /// The IP packets that have arrived or left since the last look.
    pub(crate) fn packets(&self) -> Vec<Ip> {
        let mut packets = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => packets.extend(Ip::parse(&buffer[ETHERNET_LENGTH..length])),
                Err(nix::Error::EAGAIN) => return packets,
                Err(error) => panic!("packet socket: {error}"),
            }
        }
    }
}

/// An IP packet without options or extension headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ip {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) ttl: u8,
    /// As a router sees it: always in IPv6.
    pub(crate) dont_fragment: bool,
    pub(crate) payload: Vec<u8>,
}

impl Ip {
    /// `None` for anything else, such as ARP.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let half = |at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
        match bytes.first()? >> 4 {
            4 if bytes.len() >= 20 => {
                let address = |at: usize| IpAddr::from(<[u8; 4]>::try_from(&bytes[at..at + 4]).unwrap());
                Some(Self {
                    source: address(12),
                    destination: address(16),
                    protocol: bytes[9],
                    ttl: bytes[8],
                    dont_fragment: bytes[6] & 0x40 != 0,
                    payload: bytes.get(20..half(2))?.to_vec(),
                })
            }
            6 if bytes.len() >= 40 => {
                let address = |at: usize| {
                    IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[at..at + 16]).unwrap()))
                };
                Some(Self {
                    source: address(8),
                    destination: address(24),
                    protocol: bytes[6],
                    ttl: bytes[7],
                    dont_fragment: true,
                    payload: bytes.get(40..40 + half(4))?.to_vec(),
                })
            }
            _ => None,
        }
    }
}

/// A UDP datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Udp {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) payload: Vec<u8>,
}

impl Udp {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let half = |at: usize| Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
        Some(Self {
            source_port: half(0)?,
            destination_port: half(2)?,
            payload: bytes.get(8..usize::from(half(4)?))?.to_vec(),
        })
    }
}
