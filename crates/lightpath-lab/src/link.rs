//! Links: virtual Ethernet pairs, bridges and what is set on them.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use futures_util::TryStreamExt;
use ipnet::IpNet;
use netlink_packet_route::address::AddressHeaderFlags;
use netlink_packet_route::link::{InfoBridge, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkMessage};
use nix::net::if_::if_nametoindex;
use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth};

use crate::error::Error;
use crate::namespace::Namespace;
use crate::netlink::as_io;

/// Connects two namespaces by a virtual Ethernet pair, given as (namespace, name of the link there), and sets both ends
/// up.
pub fn veth(a: (&Namespace, &str), b: (&Namespace, &str)) -> Result<(), Error> {
    let peer = LinkUnspec::new_with_name(b.1).setns_by_fd(b.0.as_fd().as_raw_fd()).build();
    let pair = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
        .name(a.1)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
        .build();
    let action = format!("make the link {} to {} in {}", a.1, b.1, b.0.name());
    a.0.netlink(&action, async |netlink| netlink.link().add(pair).execute().await)?;
    // Not in the request: an end cannot be opened before the other exists (ENOTCONN).
    a.0.link_up(a.1)?;
    b.0.link_up(b.1)
}

impl Namespace {
    /// Makes a bridge that is up, learns and floods at once, and floods all multicast.
    pub fn add_bridge(&self, name: &str) -> Result<(), Error> {
        let bridge = LinkBridge::new(name)
            // With snooping, neighbour solicitations reach only ports that reported to a querier; there is none.
            .append_info_data(InfoBridge::MulticastSnooping(false))
            .up()
            .build();
        let action = format!("make the bridge {name}");
        self.netlink(&action, async |netlink| netlink.link().add(bridge).execute().await)
    }

    /// Makes `link` a port of `bridge`.
    pub fn add_bridge_port(&self, bridge: &str, link: &str) -> Result<(), Error> {
        let controller = self.ifindex(bridge)?;
        let port = LinkUnspec::new_with_name(link).controller(controller).build();
        self.set_link(&format!("make {link} a port of {bridge}"), port)
    }

    /// Sets a link up.
    pub fn link_up(&self, link: &str) -> Result<(), Error> {
        self.set_link(&format!("set {link} up"), LinkUnspec::new_with_name(link).up().build())
    }

    /// Sets a link down, which loses its IPv6 addresses and routes.
    pub fn link_down(&self, link: &str) -> Result<(), Error> {
        self.set_link(&format!("set {link} down"), LinkUnspec::new_with_name(link).down().build())
    }

    /// Sets the largest packet of a link, in bytes without the Ethernet header.
    pub fn set_mtu(&self, link: &str, mtu: u32) -> Result<(), Error> {
        let message = LinkUnspec::new_with_name(link).mtu(mtu).build();
        self.set_link(&format!("set the MTU of {link} to {mtu}"), message)
    }

    /// Sets the hardware address of a link.
    pub fn set_mac(&self, link: &str, mac: [u8; 6]) -> Result<(), Error> {
        let message = LinkUnspec::new_with_name(link).address(mac.to_vec()).build();
        self.set_link(&format!("set the hardware address of {link}"), message)
    }

    /// The hardware address of a link.
    pub fn mac(&self, link: &str) -> Result<[u8; 6], Error> {
        let action = format!("read the hardware address of {link}");
        let message = self.netlink(&action, async |netlink| {
            netlink.link().get().match_name(link).execute().try_next().await
        })?;
        message
            .iter()
            .flat_map(|message| &message.attributes)
            .find_map(|attribute| match attribute {
                LinkAttribute::Address(mac) => mac.as_slice().try_into().ok(),
                _ => None,
            })
            .ok_or_else(|| self.error(action, io::Error::other("it has none of 6 bytes")))
    }

    /// Packets that arrived on a link so far.
    pub fn received(&self, link: &str) -> Result<u64, Error> {
        let action = format!("read how many packets arrived on {link}");
        // Of the namespace of the thread that reads it.
        let table = self
            .run(|| fs::read_to_string("/proc/thread-self/net/dev"))?
            .map_err(|error| self.error(&action, error))?;
        // A line is "eth0: bytes packets …" (proc_pid_net(5)).
        let counters = table.lines().find_map(|line| line.trim_start().strip_prefix(link)?.strip_prefix(':'));
        counters
            .and_then(|counters| counters.split_ascii_whitespace().nth(1)?.parse().ok())
            .ok_or_else(|| self.error(action, io::ErrorKind::NotFound.into()))
    }

    /// The index of a link in this namespace.
    pub fn ifindex(&self, link: &str) -> Result<u32, Error> {
        self.run(|| if_nametoindex(link))?
            .map_err(|errno| self.error(format!("find the link {link}"), errno.into()))
    }

    /// Gives a link an address with its prefix length; it is usable at once, also in IPv6.
    pub fn add_address(&self, link: &str, address: IpNet) -> Result<(), Error> {
        self.add_addresses(link, &[address])
    }

    /// Gives a link several addresses, in this order.
    pub fn add_addresses(&self, link: &str, addresses: &[IpNet]) -> Result<(), Error> {
        let index = self.ifindex(link)?;
        let add = async |netlink: &Handle, address: IpNet| {
            let mut request = netlink.address().add(index, address.addr(), address.prefix_len());
            // Without it an IPv6 address is tentative, and not to be used, for a second (RFC 4862 section 5.4).
            request.message_mut().header.flags |= AddressHeaderFlags::Nodad;
            request.execute().await
        };
        // In one conversation: the client of a topology has hundreds.
        let refused = self.netlink(&format!("add addresses to {link}"), async |netlink| {
            for &address in addresses {
                if let Err(error) = add(&netlink, address).await {
                    return Ok(Some((address, error)));
                }
            }
            Ok(None)
        })?;
        match refused {
            Some((address, error)) => Err(self.error(format!("add {address} to {link}"), as_io(error))),
            None => Ok(()),
        }
    }

    /// Has the kernel know a neighbour's hardware address for good, without asking.
    pub fn add_neighbour(&self, link: &str, address: IpAddr, mac: [u8; 6]) -> Result<(), Error> {
        self.add_neighbours(link, &[(address, mac)])
    }

    /// The same for many of them.
    pub fn add_neighbours(&self, link: &str, neighbours: &[(IpAddr, [u8; 6])]) -> Result<(), Error> {
        let index = self.ifindex(link)?;
        self.netlink(&format!("add neighbours to {link}"), async |netlink| {
            for (address, mac) in neighbours {
                netlink.neighbours().add(index, *address).link_layer_address(mac).execute().await?;
            }
            Ok(())
        })
    }

    fn set_link(&self, action: &str, message: LinkMessage) -> Result<(), Error> {
        self.netlink(action, async |netlink| netlink.link().set(message).execute().await)
    }
}
