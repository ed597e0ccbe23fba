//! VIPs as addresses of this host, so that it answers ARP and neighbour solicitations for them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use nix::errno::Errno;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, CacheInfo,
};
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::{AddressMessageBuilder, Handle};

use super::Error;
use super::ledger::{Address, Ledger};
use crate::netlink::{self, Link};

/// Makes the VIPs that Lightpath has added exactly `wanted`, and gives those added now, which should be announced.
///
/// A VIP goes to the first of `interfaces` that has an address in its network, else to the first of them. A VIP that
/// is already on this host, on any interface, and was not put there by Lightpath, stays the operator's: it is left
/// and not recorded. One of Lightpath's that is missing is put back.
///
/// Works in the network namespace of the calling thread and on the current tokio runtime.
pub async fn reconcile(
    wanted: &BTreeSet<IpAddr>,
    interfaces: &[String],
    ledger: &mut Ledger,
) -> Result<Vec<Address>, Error> {
    let host = Host::read().await?;
    let is_unwanted =
        |entry: &&Address| !wanted.contains(&entry.address) || !interfaces.contains(&entry.interface);
    let unwanted: Vec<Address> = ledger.addresses().iter().filter(is_unwanted).cloned().collect();
    host.remove_all(&unwanted, ledger).await.into_iter().next().map_or(Ok(()), Err)?;

    let ours: BTreeMap<IpAddr, &Address> =
        ledger.addresses().iter().map(|entry| (entry.address, entry)).collect();
    let mut missing = Vec::new();
    for vip in wanted {
        missing.push(match ours.get(vip) {
            Some(entry) if host.has(entry) => continue,
            Some(entry) => (*entry).clone(),
            None if host.has_anywhere(*vip) => continue,
            None => Address { interface: host.choose(*vip, interfaces)?, address: *vip },
        });
    }
    host.add_all(missing, ledger).await
}

/// Every address of this host, on any interface and whoever put it there.
///
/// Works in the network namespace of the calling thread and on the current tokio runtime.
pub async fn all() -> Result<BTreeSet<IpAddr>, Error> {
    Ok(Host::read().await?.present.into_iter().map(|present| present.address).collect())
}

/// Removes all recorded addresses; gives what failed.
pub(super) async fn remove_all(ledger: &mut Ledger) -> Vec<Error> {
    let entries = ledger.addresses().to_vec();
    if entries.is_empty() {
        return Vec::new();
    }
    let host = match Host::read().await {
        Ok(host) => host,
        Err(error) => return vec![error],
    };
    host.remove_all(&entries, ledger).await
}

/// An address on an interface with the network it stands for.
struct Present {
    interface: u32,
    address: IpAddr,
    /// Of the network: the peer's address on a point-to-point link, else the same as `address`.
    network: IpAddr,
    bits: u8,
}

/// The links and addresses as they are.
struct Host {
    handle: Handle,
    links: BTreeMap<String, u32>,
    present: Vec<Present>,
}

impl Host {
    async fn read() -> Result<Self, Error> {
        let handle = netlink::connect().map_err(|source| Error::Socket { kind: "netlink", source })?;
        let links: Vec<LinkMessage> = handle
            .link()
            .get()
            .execute()
            .try_collect()
            .await
            .map_err(|error| Error::Read { what: "links", source: netlink::os_error(error) })?;
        let addresses: Vec<AddressMessage> = handle
            .address()
            .get()
            .execute()
            .try_collect()
            .await
            .map_err(|error| Error::Read { what: "addresses", source: netlink::os_error(error) })?;
        Ok(Self {
            handle,
            links: links.iter().filter_map(Link::from_message).map(|link| (link.name, link.index)).collect(),
            present: addresses.iter().filter_map(parse).collect(),
        })
    }

    fn has(&self, entry: &Address) -> bool {
        let index = self.links.get(&entry.interface);
        self.present
            .iter()
            .any(|present| Some(&present.interface) == index && present.address == entry.address)
    }

    fn has_anywhere(&self, address: IpAddr) -> bool {
        self.present.iter().any(|present| present.address == address)
    }

    fn choose(&self, vip: IpAddr, interfaces: &[String]) -> Result<String, Error> {
        let connected = |interface: &&String| {
            let index = self.links.get(*interface);
            self.present.iter().any(|present| {
                Some(&present.interface) == index && netlink::contains(present.network, present.bits, vip)
            })
        };
        let chosen = interfaces.iter().find(connected).or(interfaces.first());
        chosen.cloned().ok_or(Error::NoInterfaces { address: vip })
    }

    /// Adds addresses, all of which are recorded before the first is there; gives those that nobody else has added meanwhile.
    async fn add_all(&self, entries: Vec<Address>, ledger: &mut Ledger) -> Result<Vec<Address>, Error> {
        if let Some(entry) = entries.iter().find(|entry| !self.links.contains_key(&entry.interface)) {
            return Err(Error::NoInterface { interface: entry.interface.clone() });
        }
        ledger.record_addresses(&entries)?;
        let mut foreign = Vec::new();
        let mut added = Vec::new();
        for entry in entries {
            match self.add(&entry).await {
                Ok(()) => added.push(entry),
                Err(error) if netlink::is(&error, Errno::EEXIST) => foreign.push(entry),
                Err(source) => {
                    ledger.forget_addresses(&foreign)?;
                    return Err(failed("add", &entry, source));
                }
            }
        }
        ledger.forget_addresses(&foreign)?;
        Ok(added)
    }

    async fn add(&self, entry: &Address) -> io::Result<()> {
        let Some(index) = self.links.get(&entry.interface) else { return Err(Errno::ENODEV.into()) };
        let mut request = self.handle.address().add(*index, entry.address, host_bits(entry.address));
        *request.message_mut() = vip_message(*index, entry.address);
        request.execute().await.map_err(netlink::os_error)?;
        tracing::info!(address = %entry.address, interface = entry.interface, "address added");
        Ok(())
    }

    /// Removes addresses; gives what failed, which stays recorded.
    async fn remove_all(&self, entries: &[Address], ledger: &mut Ledger) -> Vec<Error> {
        let mut failures = Vec::new();
        let mut removed = Vec::new();
        for entry in entries {
            match self.remove(entry).await {
                Ok(()) => removed.push(entry.clone()),
                Err(source) => failures.push(failed("remove", entry, source)),
            }
        }
        failures.extend(ledger.forget_addresses(&removed).err().map(Error::from));
        failures
    }

    async fn remove(&self, entry: &Address) -> io::Result<()> {
        // An interface that is gone has taken its addresses with it.
        let Some(index) = self.links.get(&entry.interface).filter(|_| self.has(entry)) else { return Ok(()) };
        let request = self.handle.address().del(plain_message(*index, entry.address));
        match request.execute().await.map_err(netlink::os_error) {
            Ok(()) => {
                tracing::info!(address = %entry.address, interface = entry.interface, "address removed");
                Ok(())
            }
            Err(error) if netlink::is(&error, Errno::EADDRNOTAVAIL) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn parse(message: &AddressMessage) -> Option<Present> {
    let mut network = None;
    let mut local = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(address) => network = Some(*address),
            AddressAttribute::Local(address) => local = Some(*address),
            _ => {}
        }
    }
    let address = local.or(network)?;
    Some(Present {
        interface: message.header.index,
        address,
        network: network.unwrap_or(address),
        bits: message.header.prefix_len,
    })
}

fn vip_message(index: u32, address: IpAddr) -> AddressMessage {
    let mut message = plain_message(index, address);
    let mut flags = AddressFlags::Noprefixroute;
    if address.is_ipv6() {
        // Another node of a cluster may hold the VIP until it hears the announcement: duplicate address detection
        // would take it away from this one.
        flags |= AddressFlags::Nodad;
        message.header.flags |= AddressHeaderFlags::Nodad;
        // Deprecated addresses receive, but are not chosen as source of the host's own connections (RFC 6724,
        // section 5, rule 3): a health check must not come from the VIP.
        let mut lifetimes = CacheInfo::default();
        lifetimes.ifa_preferred = 0;
        lifetimes.ifa_valid = u32::MAX;
        message.attributes.push(AddressAttribute::CacheInfo(lifetimes));
    }
    message.attributes.push(AddressAttribute::Flags(flags));
    message
}

fn plain_message(index: u32, address: IpAddr) -> AddressMessage {
    let bits = host_bits(address);
    match address {
        IpAddr::V4(address) => {
            AddressMessageBuilder::<Ipv4Addr>::new().index(index).address(address, bits).build()
        }
        IpAddr::V6(address) => {
            AddressMessageBuilder::<Ipv6Addr>::new().index(index).address(address, bits).build()
        }
    }
}

fn host_bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn failed(action: &'static str, entry: &Address, source: io::Error) -> Error {
    Error::Address { action, address: entry.address, interface: entry.interface.clone(), source }
}
