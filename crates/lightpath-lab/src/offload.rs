//! What a link's driver may leave undone in a packet, switched by the ethtool ioctl.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use crate::error::Error;
use crate::namespace::Namespace;

/// Work that the stack leaves to the device.
///
/// A veth passes such packets on unfinished. That is fine between two stacks, but an XDP program that forwards one sends
/// out a packet with a partial checksum or one larger than the MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offload {
    /// Checksums of packets sent.
    TxChecksum,
    /// Cutting TCP data into segments.
    TcpSegmentation,
    /// Cutting any data into segments, late in the stack.
    GenericSegmentation,
    /// Joining segments received; on a veth it also makes the receiving side take redirected XDP frames.
    GenericReceive,
}

impl Offload {
    /// The commands that read and set it, `ETHTOOL_G*` and `ETHTOOL_S*` (include/uapi/linux/ethtool.h).
    fn commands(self) -> (u32, u32) {
        match self {
            Self::TxChecksum => (0x16, 0x17),
            Self::TcpSegmentation => (0x1e, 0x1f),
            Self::GenericSegmentation => (0x23, 0x24),
            Self::GenericReceive => (0x2b, 0x2c),
        }
    }
}

impl Namespace {
    /// Turns an offload of `link` on or off.
    pub fn set_offload(&self, link: &str, offload: Offload, on: bool) -> Result<(), Error> {
        let (_, set) = offload.commands();
        self.run(|| ethtool(link, set, on.into()))?.map(drop).map_err(|error| {
            let state = if on { "on" } else { "off" };
            self.error(format!("turn {offload:?} of {link} {state}"), error)
        })
    }

    /// Whether an offload of `link` is on.
    pub fn offload(&self, link: &str, offload: Offload) -> Result<bool, Error> {
        let (read, _) = offload.commands();
        self.run(|| ethtool(link, read, 0))?
            .map(|data| data != 0)
            .map_err(|error| self.error(format!("read whether {offload:?} of {link} is on"), error))
    }

    /// Turns off everything that would let an unfinished packet of this end reach an XDP program: checksum and
    /// segmentation offload.
    pub fn send_finished_packets(&self, link: &str) -> Result<(), Error> {
        // Segmentation offloads depend on checksum offload, so they go first.
        for offload in [Offload::TcpSegmentation, Offload::GenericSegmentation, Offload::TxChecksum] {
            self.set_offload(link, offload, false)?;
        }
        Ok(())
    }
}

/// `struct ethtool_value` (include/uapi/linux/ethtool.h).
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Carries out a command on a link of the calling thread's namespace; returns the data that the kernel leaves.
fn ethtool(link: &str, command: u32, data: u32) -> io::Result<u32> {
    let mut name = [0; libc::IFNAMSIZ];
    if link.len() >= name.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a link's name has at most 15 bytes"));
    }
    for (to, from) in name.iter_mut().zip(link.bytes()) {
        *to = from.cast_signed();
    }
    let mut value = EthtoolValue { command, data };
    let mut request = libc::ifreq {
        ifr_name: name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data: (&raw mut value).cast() },
    };
    // Any socket will do: it only names the network namespace.
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    #[expect(unsafe_code, reason = "ethtool settings have no safe wrapper")]
    // SAFETY: `request` is a whole `ifreq` with a NUL-terminated name, and its data pointer names `value`, a live and
    // writable `ethtool_value`, which is what the kernel reads and writes for these commands.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(value.data) }
}
