//! The questions and requests to the kernel: routes, links, neighbours (rtnetlink(7)).

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::{Stream, StreamExt, TryStreamExt};
use nix::errno::Errno;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::neighbour::{
    NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteType, RouteVia,
};
use rtnetlink::{Handle, RouteMessageBuilder};

use super::{Reason, Refusal};
use crate::netlink::{self, Link};

/// How long the kernel may take for one answer; it answers while the request is being sent, so this only ends
/// what would otherwise hang, such as an answer lost to a full socket buffer.
const ANSWER: Duration = Duration::from_secs(10);

/// Following next hops cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A netlink socket could not be opened or read.
    #[error("netlink socket: {0}")]
    Socket(#[from] io::Error),
    /// The kernel refused a dump.
    #[error("cannot read {what} from the kernel: {source}")]
    Dump {
        /// What was asked for.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel did not answer.
    #[error("the kernel has not answered a netlink request for {what} within {} s", ANSWER.as_secs())]
    Silent {
        /// What was asked for.
        what: &'static str,
    },
}

/// The part of a route that decides about the next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// Index of the egress interface.
    pub(super) interface: u32,
    /// The gateway, if the destination is not on the link itself.
    pub(super) gateway: Option<IpAddr>,
    /// The address of this host that the kernel would send from.
    pub(super) source: Option<IpAddr>,
    /// The largest packet by the route's own word, in bytes of layer 3.
    pub(super) mtu: Option<u32>,
}

/// All links of the network namespace.
pub(super) async fn links(handle: &Handle) -> Result<Vec<Link>, Error> {
    let messages = dump("links", handle.link().get().execute()).await?;
    Ok(messages.iter().filter_map(Link::from_message).collect())
}

/// All neighbours of both families, of every interface.
pub(super) async fn neighbours(handle: &Handle) -> Result<Vec<NeighbourMessage>, Error> {
    let mut all = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let request = handle.neighbours().get().set_address_family(family);
        all.extend(dump("neighbours", request.execute()).await?);
    }
    Ok(all)
}

/// The route this host takes to `destination`, by its rules and tables as for a packet of its own.
pub(super) async fn route(handle: &Handle, destination: IpAddr) -> Result<Result<Route, Reason>, Error> {
    let answer = tokio::time::timeout(ANSWER, async {
        let mut answers = Box::pin(handle.route().get(lookup(destination)).execute());
        answers.next().await
    })
    .await
    .map_err(|_| Error::Silent { what: "a route" })?;
    Ok(match answer {
        Some(Ok(message)) => understand(&message),
        Some(Err(error)) => Err(refused(&netlink::os_error(error))),
        None => Err(Reason::NoRoute),
    })
}

/// Has the kernel resolve a neighbour and keep it resolved for as long as the entry exists, without a daemon.
///
/// `NTF_EXT_MANAGED` does that since Linux 5.16 (7482e3841d52). `NTF_USE` beside it makes an older kernel, which
/// ignores the attribute, resolve the neighbour once. `NTF_EXT_LEARNED` exempts the entry from the garbage
/// collection by which a neighbour table of more than `gc_thresh3` (1024) entries would lose it.
pub(super) async fn keep(handle: &Handle, interface: u32, address: IpAddr) -> io::Result<()> {
    let flags = NeighbourFlags::Use | NeighbourFlags::ExtLearned;
    request(handle, interface, address, flags, NeighbourExtFlags::Managed).await
}

/// Leaves a neighbour to the kernel's ordinary ageing again.
pub(super) async fn release(handle: &Handle, interface: u32, address: IpAddr) -> io::Result<()> {
    ask(handle, interface, address).await
}

/// Has the kernel resolve a neighbour once.
pub(super) async fn ask(handle: &Handle, interface: u32, address: IpAddr) -> io::Result<()> {
    request(handle, interface, address, NeighbourFlags::Use, NeighbourExtFlags::empty()).await
}

async fn request(
    handle: &Handle,
    interface: u32,
    address: IpAddr,
    flags: NeighbourFlags,
    ext_flags: NeighbourExtFlags,
) -> io::Result<()> {
    let mut request =
        handle.neighbours().add(interface, address).state(NeighbourState::None).flags(flags).replace();
    request.message_mut().attributes.push(NeighbourAttribute::ExtFlags(ext_flags));
    request.execute().await.map_err(netlink::os_error)
}

async fn dump<T>(
    what: &'static str,
    answers: impl Stream<Item = Result<T, rtnetlink::Error>>,
) -> Result<Vec<T>, Error> {
    tokio::time::timeout(ANSWER, answers.try_collect())
        .await
        .map_err(|_| Error::Silent { what })?
        .map_err(|error| Error::Dump { what, source: netlink::os_error(error) })
}

fn lookup(destination: IpAddr) -> RouteMessage {
    match destination {
        IpAddr::V4(address) => {
            RouteMessageBuilder::<std::net::Ipv4Addr>::new().destination_prefix(address, 32).build()
        }
        IpAddr::V6(address) => {
            RouteMessageBuilder::<std::net::Ipv6Addr>::new().destination_prefix(address, 128).build()
        }
    }
}

fn understand(message: &RouteMessage) -> Result<Route, Reason> {
    let refusal = match message.header.kind {
        RouteType::Unicast => None,
        RouteType::Local | RouteType::Anycast => Some(Refusal::Local),
        RouteType::Broadcast | RouteType::Multicast => Some(Refusal::NotUnicast),
        RouteType::BlackHole => Some(Refusal::Blackhole),
        RouteType::Unreachable => Some(Refusal::Unreachable),
        RouteType::Prohibit => Some(Refusal::Prohibit),
        other => Some(Refusal::Other(i32::from(u8::from(other)))),
    };
    if let Some(refusal) = refusal {
        return Err(Reason::Refused(refusal));
    }
    let mut interface = None;
    let mut gateway = None;
    let mut source = None;
    let mut mtu = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => interface = Some(*index),
            RouteAttribute::PrefSource(RouteAddress::Inet(address)) => source = Some(IpAddr::V4(*address)),
            // With no better one the kernel names a link-local address, which means nothing beyond the link.
            RouteAttribute::PrefSource(RouteAddress::Inet6(address)) => {
                source = Some(IpAddr::V6(*address)).filter(|_| !address.is_unicast_link_local());
            }
            RouteAttribute::Metrics(metrics) => mtu = metrics.iter().find_map(metric_mtu),
            RouteAttribute::Gateway(RouteAddress::Inet(address))
            | RouteAttribute::Via(RouteVia::Inet(address)) => {
                gateway = Some(IpAddr::V4(*address));
            }
            RouteAttribute::Gateway(RouteAddress::Inet6(address))
            | RouteAttribute::Via(RouteVia::Inet6(address)) => gateway = Some(IpAddr::V6(*address)),
            _ => {}
        }
    }
    interface.map(|interface| Route { interface, gateway, source, mtu }).ok_or(Reason::NoRoute)
}

/// A route without an MTU of its own may say 0.
fn metric_mtu(metric: &RouteMetric) -> Option<u32> {
    match metric {
        RouteMetric::Mtu(mtu) => Some(*mtu).filter(|mtu| *mtu > 0),
        _ => None,
    }
}

/// A lookup that ends at a route of these kinds is answered with an error instead of the route
/// (`fib_props` in net/ipv4/fib_semantics.c, `ip6_rt_type_to_error` in net/ipv6/route.c).
fn refused(error: &io::Error) -> Reason {
    let errno = error.raw_os_error();
    match errno.map(Errno::from_raw) {
        Some(Errno::ENETUNREACH | Errno::ESRCH) => Reason::NoRoute,
        Some(Errno::EINVAL) => Reason::Refused(Refusal::Blackhole),
        Some(Errno::EHOSTUNREACH) => Reason::Refused(Refusal::Unreachable),
        Some(Errno::EACCES) => Reason::Refused(Refusal::Prohibit),
        _ => Reason::Refused(Refusal::Other(errno.unwrap_or(0))),
    }
}
