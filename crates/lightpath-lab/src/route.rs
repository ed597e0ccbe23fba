//! Routes and policy rules.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_route::route::{RouteHeader, RouteScope};
use netlink_packet_route::rule::RuleAction;
use rtnetlink::RouteMessageBuilder;

use crate::error::Error;
use crate::namespace::Namespace;

/// A route: where packets to `to` go. Without a gateway the destination is on the link itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    to: IpNet,
    via: Option<IpAddr>,
    dev: Option<String>,
    table: u32,
}

impl Route {
    /// A route to a prefix, in the main table.
    #[must_use]
    pub fn to(prefix: IpNet) -> Self {
        Self { to: prefix, via: None, dev: None, table: RouteHeader::RT_TABLE_MAIN.into() }
    }

    /// A default route of the gateway's family, in the main table.
    #[must_use]
    pub fn default_via(gateway: IpAddr) -> Self {
        let everywhere: IpAddr = match gateway {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Self::to(IpNet::new_assert(everywhere, 0)).via(gateway)
    }

    /// Through this gateway.
    #[must_use]
    pub fn via(mut self, gateway: IpAddr) -> Self {
        self.via = Some(gateway);
        self
    }

    /// Out of this link.
    #[must_use]
    pub fn dev(mut self, link: &str) -> Self {
        self.dev = Some(link.to_owned());
        self
    }

    /// In this table instead of the main one.
    #[must_use]
    pub fn table(mut self, table: u32) -> Self {
        self.table = table;
        self
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to)?;
        if let Some(via) = self.via {
            write!(f, " via {via}")?;
        }
        if let Some(dev) = &self.dev {
            write!(f, " dev {dev}")?;
        }
        write!(f, " table {}", self.table)
    }
}

impl Namespace {
    /// Adds a route.
    pub fn add_route(&self, route: &Route) -> Result<(), Error> {
        let action = format!("add the route {route}");
        let invalid = |error| self.error(&action, io::Error::new(io::ErrorKind::InvalidInput, error));
        let mut message = RouteMessageBuilder::<IpAddr>::new()
            .table_id(route.table)
            .destination_prefix(route.to.addr(), route.to.prefix_len())
            .map_err(invalid)?;
        message = match route.via {
            Some(gateway) => message.gateway(gateway).map_err(invalid)?,
            None => message.scope(RouteScope::Link),
        };
        if let Some(dev) = &route.dev {
            message = message.output_interface(self.ifindex(dev)?);
        }
        self.netlink(&action, async |netlink| netlink.route().add(message.build()).execute().await)
    }

    /// Routes packets from `source` by `table`.
    pub fn add_rule(&self, source: IpNet, table: u32) -> Result<(), Error> {
        self.netlink(&format!("add the rule from {source} lookup {table}"), async |netlink| {
            let rule = netlink.rule().add().table_id(table).action(RuleAction::ToTable);
            match source {
                IpNet::V4(net) => rule.v4().source_prefix(net.addr(), net.prefix_len()).execute().await,
                IpNet::V6(net) => rule.v6().source_prefix(net.addr(), net.prefix_len()).execute().await,
            }
        })
    }
}
