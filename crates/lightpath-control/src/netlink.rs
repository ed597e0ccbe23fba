//! The one way this crate talks rtnetlink.

use std::io;
use std::net::IpAddr;

use nix::errno::Errno;
use rtnetlink::Handle;
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
    VlanProtocol,
};

/// Opens a netlink socket in the network namespace of the calling thread. Its traffic is driven by a task of the
/// current tokio runtime, which ends with the last clone of the handle.
pub(crate) fn connect() -> io::Result<Handle> {
    let (connection, handle, _unsolicited) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    Ok(handle)
}

/// The kernel's answer to a request, as the system error it is.
pub(crate) fn os_error(error: rtnetlink::Error) -> io::Error {
    match &error {
        rtnetlink::Error::NetlinkError(message) => match message.code {
            Some(code) => io::Error::from_raw_os_error(-code.get()),
            None => io::Error::other(error),
        },
        _ => io::Error::other(error),
    }
}

/// Whether the kernel's answer is this error.
pub(crate) fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno as i32)
}

/// Whether the prefix of `bits` bits contains the address; never across families.
pub(crate) fn contains(prefix: IpAddr, bits: u8, address: IpAddr) -> bool {
    match (prefix, address) {
        (IpAddr::V4(prefix), IpAddr::V4(address)) => {
            (prefix.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(bits)
        }
        (IpAddr::V6(prefix), IpAddr::V6(address)) => {
            (prefix.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(bits)
        }
        _ => false,
    }
}

/// What this crate wants to know of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// `None` for interfaces that carry no Ethernet, and loopback.
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) mtu: u32,
    /// Administratively up, and with a carrier.
    pub(crate) running: bool,
    /// What makes it a VLAN interface, if it is one.
    pub(crate) vlan: Option<Vlan>,
}

/// A VLAN interface's place on another interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vlan {
    /// Index of the interface that frames leave by, with the tag; `None` when that is in another network namespace.
    pub(crate) parent: Option<u32>,
    /// The VLAN's number, 1 to 4094.
    pub(crate) id: u16,
    /// Whether the tag is that of 802.1Q, and not the service tag of 802.1ad.
    pub(crate) is_8021q: bool,
}

impl Link {
    /// `None` when the message has no interface name, which only malformed messages lack.
    pub(crate) fn from_message(message: &LinkMessage) -> Option<Self> {
        let flags = message.header.flags;
        let mut name = None;
        let mut address = None;
        let mut mtu = 0;
        let mut parent = None;
        let mut elsewhere = false;
        let mut tag = None;
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(value) => name = Some(value.clone()),
                LinkAttribute::Address(value) => address = <[u8; 6]>::try_from(value.as_slice()).ok(),
                LinkAttribute::Mtu(value) => mtu = *value,
                LinkAttribute::Link(index) => parent = Some(*index),
                LinkAttribute::LinkNetNsId(_) => elsewhere = true,
                LinkAttribute::LinkInfo(info) => tag = vlan_tag(info),
                _ => {}
            }
        }
        let parent = parent.filter(|_| !elsewhere);
        let ethernet = message.header.link_layer_type == LinkLayerType::Ether;
        Some(Self {
            index: message.header.index,
            name: name?,
            mac: address.filter(|mac| ethernet && *mac != [0; 6]),
            mtu,
            running: flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
            vlan: tag.map(|(id, is_8021q)| Vlan { parent, id, is_8021q }),
        })
    }
}

/// The VLAN's number, and whether it is one of 802.1Q, if this describes a VLAN interface.
fn vlan_tag(info: &[LinkInfo]) -> Option<(u16, bool)> {
    let is_vlan = info.iter().any(|info| matches!(info, LinkInfo::Kind(InfoKind::Vlan)));
    let data = info.iter().find_map(|info| match info {
        LinkInfo::Data(InfoData::Vlan(data)) if is_vlan => Some(data),
        _ => None,
    })?;
    let id = data.iter().find_map(|info| match info {
        InfoVlan::Id(id) => Some(*id),
        _ => None,
    })?;
    let foreign = data
        .iter()
        .any(|info| matches!(info, InfoVlan::Protocol(protocol) if *protocol != VlanProtocol::Ieee8021Q));
    Some((id, !foreign))
}
