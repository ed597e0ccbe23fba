//! The device that health checks through the data plane leave by, and that their answers come in by.
//!
//! It is one end of a virtual Ethernet pair whose other end nobody listens to: a program on it sends what is to leave elsewhere
//! before it gets there. A socket that is bound to it can speak with a VIP as with any other host, even where the VIP is an address of
//! this host: routes of other devices, local ones among them, do not count for it. What they need instead is here:
//!
//! - IPv4 takes everything for a neighbour on a device without a route. IPv6 does not: a rule sends what goes out by this device, and
//!   nothing else, to a table with a default route.
//! - Neighbours are not asked for.
//! - Answers come from the VIP: `accept_local` lets an address of this host be the source of what comes in, by this device only.
//!
//! A daemon makes it anew when it starts, so it needs no record; it goes with the daemon's configuration, and with `detach`.

use std::net::{IpAddr, Ipv6Addr};

use futures_util::TryStreamExt;
use lightpath_abi::CHECK_DEVICE_MAC;
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use rtnetlink::packet_route::route::RouteScope;
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute};
use rtnetlink::{Handle, IpVersion, LinkUnspec, LinkVeth, RouteMessageBuilder};

use super::{Error, sysctl};
use crate::netlink::{self, os_error};

/// The least that IPv6 asks of a link (RFC 8200, section 5): with a tunnel's header before them, packets of this size still go through
/// any usual network.
const MTU: u32 = 1280;
/// The table of the IPv6 default route, and the rule's place before the main table's: "lp" in ASCII.
const TABLE: u32 = 0x6c70;

/// The device of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckDevice {
    /// Its name, which is made of the instance's and fits an interface.
    pub name: String,
    /// Its index.
    pub index: u32,
}

impl CheckDevice {
    /// Makes the device of an instance, in the place of any that is there.
    pub async fn make(instance: &str) -> Result<Self, Error> {
        let name = name(instance);
        let failed = |action| {
            let device = name.clone();
            move |source| Error::CheckDevice { action, device, source }
        };
        let netlink = netlink::connect().map_err(failed("make"))?;
        remove_from(&netlink, &name).await.map_err(failed("remove"))?;
        let other_end = format!("{name}-end");
        let pair = LinkVeth::new(&name, &other_end)
            .address(CHECK_DEVICE_MAC.to_vec())
            .mtu(MTU)
            .arp(false)
            .multicast(false)
            .build();
        netlink.link().add(pair).execute().await.map_err(os_error).map_err(failed("make"))?;
        for end in [&name, &other_end] {
            prepare(end)?;
            let up = LinkUnspec::new_with_name(end).up().build();
            netlink.link().set(up).execute().await.map_err(os_error).map_err(failed("set up"))?;
        }
        let index = if_nametoindex(name.as_str()).map_err(|errno| failed("find")(errno.into()))?;
        if has_ipv6(&name) {
            route_ipv6(&netlink, &name, index).await.map_err(os_error).map_err(failed("route IPv6 to"))?;
        }
        Ok(Self { name, index })
    }

    /// Whether it is still there, and not another in its place.
    #[must_use]
    pub fn is_there(&self) -> bool {
        if_nametoindex(self.name.as_str()) == Ok(self.index)
    }

    /// Removes the device of an instance; whether there was one.
    pub async fn remove(instance: &str) -> Result<bool, Error> {
        let name = name(instance);
        let failed = |source| Error::CheckDevice { action: "remove", device: name.clone(), source };
        let netlink = netlink::connect().map_err(failed)?;
        remove_from(&netlink, &name).await.map_err(failed)
    }
}

/// An interface's name has 15 bytes at most, and an instance's may have more: it is hashed (FNV-1a).
fn name(instance: &str) -> String {
    let mix = |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    format!("lp-{:08x}", instance.bytes().fold(0x811c_9dc5, mix))
}

/// Settings of the device that differ from what the host gives to new ones. They go with it.
fn prepare(name: &str) -> Result<(), Error> {
    sysctl::write(&format!("net/ipv4/conf/{name}/accept_local"), "1")?;
    // The greater of this and that of all interfaces applies: strict everywhere is outdone by loose here.
    let is_strict = sysctl::read("net/ipv4/conf/all/rp_filter")? == "1";
    sysctl::write(&format!("net/ipv4/conf/{name}/rp_filter"), if is_strict { "2" } else { "0" })?;
    if has_ipv6(name) {
        // No address of its own, no router to look for.
        sysctl::write(&format!("net/ipv6/conf/{name}/addr_gen_mode"), "1")?;
        sysctl::write(&format!("net/ipv6/conf/{name}/accept_ra"), "0")?;
    }
    Ok(())
}

fn has_ipv6(name: &str) -> bool {
    sysctl::read(&format!("net/ipv6/conf/{name}/disable_ipv6")).is_ok_and(|disabled| disabled == "0")
}

async fn route_ipv6(netlink: &Handle, name: &str, index: u32) -> Result<(), rtnetlink::Error> {
    let route = RouteMessageBuilder::<Ipv6Addr>::new()
        .table_id(TABLE)
        .scope(RouteScope::Universe)
        .output_interface(index)
        .priority(index)
        .build();
    netlink.route().add(route).execute().await?;
    let rule = netlink.rule().add().table_id(TABLE).priority(TABLE).action(RuleAction::ToTable);
    rule.output_interface(name).v6().execute().await
}

/// Removes device and rule; the kernel removes the device's routes.
async fn remove_from(netlink: &Handle, name: &str) -> std::io::Result<bool> {
    let mut rules = netlink.rule().get(IpVersion::V6).execute();
    let mut own = Vec::new();
    loop {
        match rules.try_next().await.map_err(os_error) {
            Ok(Some(rule)) => {
                let is_own = |attribute: &RuleAttribute| matches!(attribute, RuleAttribute::Oifname(out) if out == name);
                if rule.attributes.iter().any(is_own) {
                    own.push(rule);
                }
            }
            Ok(None) => break,
            // A kernel without IPv6 has no rules of it.
            Err(error)
                if netlink::is(&error, Errno::EAFNOSUPPORT) || netlink::is(&error, Errno::EOPNOTSUPP) =>
            {
                break;
            }
            Err(error) => return Err(error),
        }
    }
    for rule in own {
        netlink.rule().del(rule).execute().await.map_err(os_error)?;
    }
    let Ok(index) = if_nametoindex(name) else { return Ok(false) };
    netlink.link().del(index).execute().await.map_err(os_error)?;
    Ok(true)
}

/// The address of this host that packets to an address come from, as the kernel chooses it.
pub fn source_towards(address: IpAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = match address {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Connected, a datagram socket has asked for the route, and has sent nothing.
    let socket = std::net::UdpSocket::bind((any, 0))?;
    socket.connect((address, 9))?;
    Ok(socket.local_addr()?.ip())
}
