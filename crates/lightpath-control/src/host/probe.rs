//! Who else on a segment says that an address is its own: ARP probes (RFC 5227, section 2.1.1), which no cache learns from.
//!
//! There is none for IPv6: Linux does not answer neighbour solicitations for an address of another link, which is where a
//! backend has its VIP.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, sendto, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use super::Error;
use super::announce::ethernet;

const ARP: u16 = 0x0806;
/// Hardware Ethernet, protocol IPv4, and the lengths of their addresses (RFC 826).
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// Somebody who answers for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The address.
    pub address: Ipv4Addr,
    /// The MAC address of who answers.
    pub mac: [u8; 6],
}

/// Asks on an interface who has each of `addresses`, and gives everybody who has answered within `patience`, but not this interface.
/// Nobody answers on an interface that carries no Ethernet. Blocks for that long, in the network namespace of the calling thread.
pub fn claims(interface: &str, addresses: &[Ipv4Addr], patience: Duration) -> Result<BTreeSet<Claim>, Error> {
    let failed = |source: Errno| Error::Socket { kind: "packet", source: io::Error::from(source) };
    let found = getifaddrs().map_err(failed)?.find_map(|entry| {
        let link = entry.address?.as_link_addr().copied()?;
        (entry.interface_name == interface).then_some(link)
    });
    let link = found.ok_or_else(|| Error::NoInterface { interface: interface.to_owned() })?;
    let Some(own) = link.addr().filter(|mac| *mac != [0; 6]) else { return Ok(BTreeSet::new()) };

    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)
        .map_err(failed)?;
    bind(socket.as_raw_fd(), &link).map_err(failed)?;
    for address in addresses {
        sendto(socket.as_raw_fd(), &probe(own, *address), &link, MsgFlags::empty()).map_err(failed)?;
    }
    let mut claims = BTreeSet::new();
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left < Duration::from_millis(1) {
            return Ok(claims);
        }
        let left = TimeVal::milliseconds(i64::try_from(left.as_millis()).unwrap_or(i64::MAX));
        setsockopt(&socket, sockopt::ReceiveTimeout, &left).map_err(failed)?;
        // Longer frames are cut: they are not ARP.
        let mut frame = [0; 64];
        match recv(socket.as_raw_fd(), &mut frame, MsgFlags::empty()) {
            Ok(_) => claims
                .extend(claim(&frame).filter(|claim| claim.mac != own && addresses.contains(&claim.address))),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

fn probe(own: [u8; 6], address: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet([0xff; 6], own, ARP);
    frame.extend(ETHERNET_IPV4);
    frame.extend(REQUEST.to_be_bytes());
    frame.extend(own);
    // No address of one's own: that is what makes it a probe.
    frame.extend([0; 4]);
    frame.extend([0; 6]);
    frame.extend(address.octets());
    frame
}

/// What an ARP reply claims.
fn claim(frame: &[u8; 64]) -> Option<Claim> {
    let rest = frame[12..].strip_prefix(&ARP.to_be_bytes())?.strip_prefix(&ETHERNET_IPV4)?;
    let sender = rest.strip_prefix(&REPLY.to_be_bytes())?;
    let mac: [u8; 6] = *sender.first_chunk()?;
    let address: [u8; 4] = *sender[6..].first_chunk()?;
    Some(Claim { address: address.into(), mac })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_replies_are_claims() {
        let mac = [2, 0, 0, 0, 0, 7];
        let mut frame = [0; 64];
        let asked = probe(mac, Ipv4Addr::new(203, 0, 113, 10));
        frame[..asked.len()].copy_from_slice(&asked);
        assert_eq!(claim(&frame), None, "a question");
        frame[21] = 2;
        frame[28..32].copy_from_slice(&[203, 0, 113, 10]);
        assert_eq!(claim(&frame), Some(Claim { address: Ipv4Addr::new(203, 0, 113, 10), mac }));
        frame[13] = 0xdd;
        assert_eq!(claim(&frame), None, "another protocol");
    }
}
