//! Interfaces that routes lead to and XDP cannot send by: those of VLANs, each with the one below it that can.

use std::collections::BTreeMap;

use lightpath_abi::VlanInterface;

use super::kernel::{self, Error};
use super::resolve;
use crate::netlink::{self, Link};

/// VLAN interfaces, by index.
pub type Vlans = BTreeMap<u32, VlanInterface>;

/// The VLAN interfaces of this host, in the network namespace of the calling thread and on the current tokio runtime.
pub async fn vlans() -> Result<Vlans, Error> {
    let links = kernel::links(&netlink::connect()?).await?;
    Ok(of(&links.into_iter().map(|link| (link.index, link)).collect()))
}

pub(super) fn of(links: &BTreeMap<u32, Link>) -> Vlans {
    let vlans = links.values().filter(|link| link.vlan.is_some());
    vlans
        .map(|link| match resolve::egress(link, links) {
            Ok((parent, vlan)) => {
                (link.index, VlanInterface { parent: parent.index, vlan: vlan.unwrap_or(0), reserved: 0 })
            }
            Err(_) => (link.index, VlanInterface::KERNELS),
        })
        .collect()
}
