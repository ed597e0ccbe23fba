//! Whom a check speaks with, and by which way.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{BindToDevice, Mark};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use super::cause::Cause;
use crate::host::source_towards;

/// The other end of a check.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// The backend's address, or the VIP's where the check goes through the data plane.
    pub(super) address: SocketAddr,
    way: Option<Way>,
}

/// The way through the data plane.
#[derive(Clone, Debug)]
struct Way {
    /// What the socket is bound to.
    device: Arc<str>,
    /// Which backend it is for.
    mark: u32,
    /// This host's address.
    source: IpAddr,
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self { address, way: None }
    }
}

impl Peer {
    /// The VIP on a backend.
    pub(super) fn through(
        device: &Arc<str>,
        mark: u32,
        vip: SocketAddr,
        backend: IpAddr,
    ) -> Result<Self, Cause> {
        // Where the VIP is of another family than the backend, the way to its clients is by the default route.
        let towards = match vip.ip() {
            _ if backend.is_ipv4() == vip.is_ipv4() => backend,
            IpAddr::V4(_) => SOMEBODY_V4.into(),
            IpAddr::V6(_) => SOMEBODY_V6.into(),
        };
        let source = source_towards(towards).map_err(|error| {
            Cause::Local(format!("it has no address to ask the VIP {} from: {error}", vip.ip()))
        })?;
        Ok(Self { address: vip, way: Some(Way { device: Arc::clone(device), mark, source }) })
    }

    /// A TCP connection to it.
    pub(super) async fn connect(&self) -> Result<TcpStream, Cause> {
        let Some(way) = &self.way else { return Ok(TcpStream::connect(self.address).await?) };
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        way.take(&socket)?;
        socket.bind(SocketAddr::new(way.source, 0))?;
        Ok(socket.connect(self.address).await?)
    }

    /// A socket for datagrams to it, which is not connected yet.
    pub(super) async fn datagrams(&self) -> Result<UdpSocket, Cause> {
        let Some(way) = &self.way else {
            let any: IpAddr = match self.address {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            return Ok(UdpSocket::bind((any, 0)).await?);
        };
        let socket = Socket::new(Domain::for_address(self.address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        way.take(&socket)?;
        socket.bind(&SocketAddr::new(way.source, 0).into())?;
        Ok(UdpSocket::from_std(socket.into())?)
    }
}

/// Addresses that no host has (RFC 5737, RFC 3849), and that are routed like most.
const SOMEBODY_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SOMEBODY_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

impl Way {
    /// Has a socket send this way. That it cannot is no fault of the backend: the device may just be gone.
    fn take(&self, socket: &impl AsFd) -> Result<(), Cause> {
        let bound = setsockopt(socket, BindToDevice, &self.device.to_string().into());
        let taken = bound.and_then(|()| setsockopt(socket, Mark, &self.mark));
        taken.map_err(|errno| Cause::Local(format!("{}: {errno}", self.device)))
    }
}
