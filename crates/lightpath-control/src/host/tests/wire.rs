//! Frames, sent and seen on an interface of the calling thread's namespace.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, sendto, socket,
};

pub(super) struct Wire {
    socket: OwnedFd,
    link: LinkAddr,
}

impl Wire {
    pub(super) fn open(interface: &str) -> Self {
        let socket =
            socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_NONBLOCK, SockProtocol::EthAll)
                .unwrap();
        let entry = getifaddrs()
            .unwrap()
            .find(|entry| {
                let link = entry.address.as_ref().and_then(|address| address.as_link_addr());
                entry.interface_name == interface && link.is_some()
            })
            .unwrap();
        let link = *entry.address.unwrap().as_link_addr().unwrap();
        // An address from getifaddrs(3) has protocol 0: the socket keeps the one it was made with.
        bind(socket.as_raw_fd(), &link).unwrap();
        Self { socket, link }
    }

    pub(super) fn send(&self, frame: &[u8]) {
        sendto(self.socket.as_raw_fd(), frame, &self.link, MsgFlags::empty()).unwrap();
    }

    /// The frames seen within `time` that `wanted` recognises.
    pub(super) async fn collect(&self, time: Duration, wanted: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let deadline = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < deadline {
            let mut buffer = [0; 2048];
            match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => found.extend(Some(buffer[..length].to_vec()).filter(|frame| wanted(frame))),
                Err(nix::Error::EAGAIN) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => panic!("packet socket: {error}"),
            }
        }
        found
    }
}
