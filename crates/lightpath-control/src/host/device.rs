//! What a network device can do with XDP, and which work it takes from the kernel (netlink families `netdev` and `ethtool`).

use std::collections::BTreeSet;
use std::io;

use nix::net::if_::if_nametoindex;

use super::Error;
use super::generic_netlink::{Family, attribute, attributes, nested};

/// `NETDEV_CMD_DEV_GET` and its attributes (uapi/linux/netdev.h, since Linux 6.3, d3d854fd6a1d).
const DEV_GET: u8 = 1;
const DEV_IFINDEX: u16 = 1;
const DEV_XDP_FEATURES: u16 = 3;

/// Bits of `enum netdev_xdp_act`.
const XDP_BASIC: u64 = 1;
const XDP_NDO_XMIT: u64 = 4;

/// `ETHTOOL_MSG_FEATURES_GET`, `_SET` and their attributes (uapi/linux/ethtool_netlink.h).
const FEATURES_GET: u8 = 11;
const FEATURES_SET: u8 = 12;
const FEATURES_HEADER: u16 = 1;
const FEATURES_WANTED: u16 = 3;
const FEATURES_ACTIVE: u16 = 4;
const HEADER_DEV_INDEX: u16 = 1;
const BITSET_BITS: u16 = 3;
const BITSET_BIT: u16 = 1;
const BIT_NAME: u16 = 2;

/// What a driver can do with XDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpSupport {
    /// Programs run in the driver.
    pub native: bool,
    /// It sends frames that a program has redirected from another interface.
    pub transmits: bool,
}

/// What the driver of an interface can do with XDP; `None` when this kernel does not tell (before Linux 6.3).
///
/// Works in the network namespace of the calling thread.
pub fn xdp_support(interface: &str) -> Result<Option<XdpSupport>, Error> {
    let ask = || -> io::Result<Option<XdpSupport>> {
        let Some(netdev) = Family::named("netdev")? else { return Ok(None) };
        let answer = netdev.ask(DEV_GET, &attribute(DEV_IFINDEX, &index(interface)?))?;
        let bits = attributes(&answer).find(|(kind, _)| *kind == DEV_XDP_FEATURES);
        let bits = bits.and_then(|(_, value)| value.try_into().ok()).map(u64::from_ne_bytes);
        Ok(bits.map(|bits| XdpSupport { native: bits & XDP_BASIC != 0, transmits: bits & XDP_NDO_XMIT != 0 }))
    };
    ask().map_err(|source| Error::Device { interface: interface.to_owned(), source })
}

/// Names of the features of an interface that are on, as in `ethtool -k` with its own names (`rx-gro`, `rx-lro`). Empty when this kernel was
/// built without ethtool's netlink.
pub fn active_features(interface: &str) -> Result<BTreeSet<String>, Error> {
    let ask = || -> io::Result<BTreeSet<String>> {
        let Some(ethtool) = Family::named("ethtool")? else { return Ok(BTreeSet::new()) };
        let answer = ethtool.ask(FEATURES_GET, &header(FEATURES_HEADER, interface)?)?;
        let within = |bytes, wanted| {
            attributes(bytes).filter(move |(kind, _)| *kind == wanted).map(|(_, value)| value)
        };
        Ok(within(&answer, FEATURES_ACTIVE)
            .flat_map(|set| within(set, BITSET_BITS))
            .flat_map(|bits| within(bits, BITSET_BIT))
            .flat_map(|bit| within(bit, BIT_NAME))
            .map(|name| String::from_utf8_lossy(name).trim_end_matches('\0').to_owned())
            .collect())
    };
    ask().map_err(|source| Error::Device { interface: interface.to_owned(), source })
}

/// Switches a feature of an interface off. A driver may leave it on nevertheless: look at [`active_features`] again.
pub fn switch_off(interface: &str, feature: &str) -> Result<(), Error> {
    let ask = || -> io::Result<()> {
        let Some(ethtool) = Family::named("ethtool")? else { return Err(io::ErrorKind::Unsupported.into()) };
        let mut name = feature.as_bytes().to_vec();
        name.push(0);
        // A bit that is named and has no value is one to be cleared.
        let bit = nested(BITSET_BIT, &[attribute(BIT_NAME, &name)]);
        let wanted = nested(FEATURES_WANTED, &[nested(BITSET_BITS, &[bit])]);
        let request = [header(FEATURES_HEADER, interface)?, wanted].concat();
        ethtool.ask(FEATURES_SET, &request).map(drop)
    };
    ask().map_err(|source| Error::Device { interface: interface.to_owned(), source })
}

/// The header of a request about an interface, by its number among the request's attributes.
pub(super) fn header(kind: u16, interface: &str) -> io::Result<Vec<u8>> {
    Ok(nested(kind, &[attribute(HEADER_DEV_INDEX, &index(interface)?)]))
}

fn index(interface: &str) -> io::Result<[u8; 4]> {
    Ok(if_nametoindex(interface)?.to_ne_bytes())
}
