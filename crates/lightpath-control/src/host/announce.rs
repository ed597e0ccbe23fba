//! Announcements: tell the neighbours of an interface that an address is here now.
//!
//! IPv4 by an ARP announcement (RFC 5227, section 1.1 and 2.3), IPv6 by an unsolicited neighbour advertisement
//! (RFC 4861, section 7.2.6). Neighbours that have the address in their cache correct it, others ignore it.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, sendto, socket};

use super::{Error, sysctl};

/// Announcements can be lost: RFC 4861 allows three (`MAX_NEIGHBOR_ADVERTISEMENT`), RFC 5227 asks for two.
const TIMES: u32 = 3;

/// `RETRANS_TIMER` of RFC 4861; RFC 5227 wants 2 s between its two, as between the first and the last of these.
const INTERVAL: Duration = Duration::from_secs(1);

/// Length of an Ethernet header.
const ETHERNET: usize = 14;

/// Announces `addresses` on those of `interfaces` that carry Ethernet, three times, a second apart.
///
/// The socket is opened at once, in the network namespace of the calling thread; the returned future sends. What
/// cannot be sent, as on an interface that is down, is logged, and tried again with the next round.
pub fn announce(
    addresses: &[IpAddr],
    interfaces: &[String],
) -> Result<impl Future<Output = ()> + Send + use<>, Error> {
    let opened = |source: nix::Error| Error::Socket { kind: "packet", source: io::Error::from(source) };
    // Without a protocol the socket receives nothing; SOCK_RAW sends whole frames.
    let socket =
        socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)
            .map_err(opened)?;
    let mut links = Vec::new();
    for name in interfaces {
        let mut found = getifaddrs()
            .map_err(opened)?
            .filter(|entry| entry.interface_name == *name)
            .filter_map(|entry| entry.address?.as_link_addr().copied());
        let link = found.next().ok_or_else(|| Error::NoInterface { interface: name.clone() })?;
        links.push((name.clone(), link));
    }
    let mut frames = Vec::new();
    for (name, link) in links {
        let Some(mac) = link.addr().filter(|mac| *mac != [0; 6]) else { continue };
        let router = addresses.iter().any(IpAddr::is_ipv6) && forwards_ipv6(&name)?;
        for address in addresses {
            let frame = match address {
                IpAddr::V4(address) => arp_announcement(mac, *address),
                IpAddr::V6(address) => neighbour_advertisement(mac, *address, router),
            };
            frames.push(Frame { address: *address, interface: name.clone(), link, bytes: frame });
        }
    }
    Ok(send(socket, frames))
}

struct Frame {
    address: IpAddr,
    interface: String,
    link: LinkAddr,
    bytes: Vec<u8>,
}

async fn send(socket: OwnedFd, frames: Vec<Frame>) {
    if frames.is_empty() {
        return;
    }
    for round in 0..TIMES {
        if round > 0 {
            tokio::time::sleep(INTERVAL).await;
        }
        for Frame { address, interface, link, bytes } in &frames {
            if let Err(error) = sendto(socket.as_raw_fd(), bytes, link, MsgFlags::empty()) {
                tracing::warn!(%address, interface, %error, "the address could not be announced");
            }
        }
    }
}

/// A router says so in its advertisements (RFC 4861, section 7.2.6), as the kernel does for this interface.
fn forwards_ipv6(interface: &str) -> Result<bool, Error> {
    let path = format!("net/ipv6/conf/{interface}/forwarding");
    Ok(sysctl::exists(&path) && sysctl::read(&path)? != "0")
}

/// An ARP request for the address itself, from itself, to all (RFC 826; RFC 5227, section 1.1).
fn arp_announcement(mac: [u8; 6], address: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet([0xff; 6], mac, 0x0806);
    frame.extend([0x00, 0x01]); // hardware: Ethernet
    frame.extend([0x08, 0x00]); // protocol: IPv4
    frame.extend([6, 4]); // lengths of their addresses
    frame.extend([0x00, 0x01]); // request
    frame.extend(mac);
    frame.extend(address.octets());
    frame.extend([0; 6]); // target hardware address: not known, ignored
    frame.extend(address.octets());
    frame
}

/// A neighbour advertisement to all nodes (RFC 4861, section 4.4), which overrides what they have cached.
fn neighbour_advertisement(mac: [u8; 6], address: Ipv6Addr, router: bool) -> Vec<u8> {
    const OVERRIDE: u8 = 0x20;
    const ROUTER: u8 = 0x80;

    let mut message = vec![136, 0, 0, 0]; // type, code, checksum to come
    message.extend([OVERRIDE | if router { ROUTER } else { 0 }, 0, 0, 0]);
    message.extend(address.octets());
    message.extend([2, 1]); // option: target link-layer address, 8 bytes
    message.extend(mac);
    icmpv6_to_all_nodes(mac, address, message)
}

/// The frame for an ICMPv6 message of less than 256 bytes, whose checksum is zero, to the nodes of a link.
pub(super) fn icmpv6_to_all_nodes(mac: [u8; 6], source: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    const ICMPV6: u8 = 58;

    // The pseudo-header of RFC 8200, section 8.1; the upper bytes of both numbers are zero.
    let length = u8::try_from(message.len()).unwrap_or(u8::MAX);
    let mut summed = Vec::from(source.octets());
    summed.extend(ALL_NODES.octets());
    summed.extend([0, 0, 0, length, 0, 0, 0, ICMPV6]);
    summed.extend(&message);
    message[2..4].copy_from_slice(&checksum(&summed).to_be_bytes());

    // RFC 2464, section 7: the group's MAC address.
    let mut frame = ethernet([0x33, 0x33, 0, 0, 0, 1], mac, 0x86dd);
    frame.extend([0x60, 0, 0, 0, 0, length, ICMPV6, 255]); // hop limit 255, or it is ignored
    frame.extend(source.octets());
    frame.extend(ALL_NODES.octets());
    frame.extend(message);
    frame
}

pub(super) fn ethernet(destination: [u8; 6], source: [u8; 6], ethertype: u16) -> Vec<u8> {
    let mut frame = Vec::with_capacity(ETHERNET + 72);
    frame.extend(destination);
    frame.extend(source);
    frame.extend(ethertype.to_be_bytes());
    frame
}

/// The Internet checksum of an even number of bytes (RFC 1071).
pub(super) fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}
