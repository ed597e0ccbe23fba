//! A node with a service, and flows of its clients.

use std::net::{Ipv4Addr, SocketAddr};

use lightpath_abi::SessionTuple;
use lightpath_core::host::{Buffer, HostTables};
use lightpath_core::{
    Forwarding, Reason, Reply, ReplyKind, Rewrite, Route, RouteQuery, Routes, Verdict, forward,
};
use lightpath_testkit::node::Node;
use lightpath_testkit::packet::{ACK, PacketBuilder, SYN, tcp};
use lightpath_testkit::{Service, Setup, service};

pub(crate) const VIP: &str = "203.0.113.10:80";

/// Every client is behind one router.
pub(crate) struct Everywhere;

impl Routes for Everywhere {
    fn route(&self, query: &RouteQuery) -> Route {
        match query.length {
            ..=1500 => Route::Via(Node::default().client_hop()),
            _ => Route::TooBig { mtu: 1500 },
        }
    }
}

pub(crate) fn web() -> Service {
    service("web", "203.0.113.10", 80).fullnat().backend("10.0.0.1:8080", Node::default().backend_hop())
}

/// A node with one service, some seconds after its start.
pub(crate) fn node(setup: &Setup) -> HostTables {
    let mut tables = setup.contents().host_tables();
    tables.now = 1_000;
    tables
}

pub(crate) fn client(number: u32) -> String {
    format!("{}:{}", Ipv4Addr::from_bits(0x0a64_0000 + number / 50_000), 1024 + number % 50_000)
}

/// What became of a packet: where it went, as source and destination.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    On(SocketAddr, SocketAddr),
    Dropped(Reason),
    Answered(ReplyKind, Reason),
    Passed,
}

pub(crate) fn send(tables: &HostTables, packet: &PacketBuilder) -> Sent {
    match forward(&mut Buffer::new(&packet.build()), tables, &Everywhere) {
        Verdict::Forward(Forwarding { rewrite: Rewrite::ToBackend(session), .. }) => {
            let SessionTuple { node, backend, node_port, backend_port, .. } = session.tuple();
            Sent::On((node.to_ip(), node_port).into(), (backend.to_ip(), backend_port).into())
        }
        Verdict::Forward(Forwarding { rewrite: Rewrite::ToClient(session), .. }) => {
            let SessionTuple { client, vip, client_port, vip_port, .. } = session.tuple();
            Sent::On((vip.to_ip(), vip_port).into(), (client.to_ip(), client_port).into())
        }
        Verdict::Drop(drop) => Sent::Dropped(drop.reason),
        Verdict::Reply(Reply { kind, reason, .. }) => Sent::Answered(kind, reason.unwrap()),
        Verdict::Pass => Sent::Passed,
        verdict => panic!("{verdict:?}"),
    }
}

/// A flow of a client that went on: how its backend is reached, and answers.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) client: String,
    pub(crate) node: SocketAddr,
    pub(crate) backend: SocketAddr,
}

pub(crate) fn open(tables: &HostTables, client: &str, sequence: u32) -> Result<Opened, Sent> {
    match send(tables, &tcp(client, VIP).flags(SYN).sequence(sequence)) {
        Sent::On(node, backend) => Ok(Opened { client: client.into(), node, backend }),
        sent => Err(sent),
    }
}

impl Opened {
    pub(crate) fn client_sends(&self, flags: u8) -> PacketBuilder {
        tcp(&self.client, VIP).flags(flags)
    }

    pub(crate) fn backend_sends(&self, flags: u8) -> PacketBuilder {
        tcp(&self.backend.to_string(), &self.node.to_string()).flags(flags)
    }

    /// Both sides have spoken.
    pub(crate) fn establish(&self, tables: &HostTables) {
        send(tables, &self.backend_sends(SYN | ACK));
        send(tables, &self.client_sends(ACK));
    }

    /// Whether packets pass both ways. If only one does, that is a failure.
    pub(crate) fn lives(&self, tables: &HostTables) -> bool {
        // A look does not keep it alive.
        let tables = tables.clone();
        let there = send(&tables, &self.client_sends(ACK)) == Sent::On(self.node, self.backend);
        let back = send(&tables, &self.backend_sends(ACK))
            == Sent::On(VIP.parse().unwrap(), self.client.parse().unwrap());
        assert_eq!(there, back, "{self:?}");
        there
    }
}
