//! Many flows that open, go on and close, against a model of who has which tuple.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use lightpath_abi::Session;
use lightpath_core::Reason;
use lightpath_core::host::HostTables;
use lightpath_testkit::node::Node;
use lightpath_testkit::packet::{ACK, FIN, RST};
use lightpath_testkit::{Setup, service};

use crate::flow::{Opened, Sent, client, node, open, send};

/// A model of what clients and backends see: who has which tuple, and until when.
struct Model {
    tables: HostTables,
    rng: Rng,
    /// By client, with the second in which both sides know it to be over.
    flows: BTreeMap<String, (Opened, u32)>,
    opened: usize,
    refused: usize,
}

impl Model {
    fn new(seed: u64, setup: Setup) -> Self {
        let hop = Node::default().backend_hop();
        let web = (1..=3).fold(service("web", "203.0.113.10", 80).fullnat(), |web, host| {
            web.backend(&format!("10.0.0.{host}:8080"), hop)
        });
        Self {
            tables: node(&setup.with(web)),
            rng: Rng::with_seed(seed),
            flows: BTreeMap::new(),
            opened: 0,
            refused: 0,
        }
    }

    fn step(&mut self) {
        self.tables.now += self.rng.u32(..3);
        let client = client(self.rng.u32(..400));
        match self.flows.get(&client).cloned() {
            Some((flow, until)) if self.tables.now <= until => self.go_on(&flow),
            _ => self.open(&client),
        }
    }

    fn open(&mut self, client: &str) {
        match open(&self.tables, client, self.rng.u32(..)) {
            Ok(flow) => {
                self.opened += 1;
                for (other, until) in self.flows.values() {
                    let same = (other.node, other.backend) == (flow.node, flow.backend);
                    assert!(!same || self.tables.now > *until, "{flow:?} shares with {other:?}");
                }
                let mut until = 30;
                if self.rng.u8(..4) > 0 {
                    flow.establish(&self.tables);
                    until = 7440;
                }
                self.flows.insert(client.into(), (flow, self.tables.now + until));
            }
            Err(Sent::Dropped(Reason::PortsExhausted)) => self.refused += 1,
            Err(sent) => panic!("{client}: {sent:?}"),
        }
    }

    fn go_on(&mut self, flow: &Opened) {
        assert!(flow.lives(&self.tables), "{flow:?} is gone too early");
        if self.rng.u8(..3) > 0 {
            return;
        }
        let (there, back) = [(FIN | ACK, FIN | ACK), (RST, ACK), (ACK, RST)][self.rng.usize(..3)];
        send(&self.tables, &flow.client_sends(there));
        send(&self.tables, &flow.backend_sends(back));
        let mut ended = self.tables.clone();
        // Whatever ends them, both directions are gone when the longest of the timeouts has passed.
        ended.now += 121;
        assert!(!flow.lives(&ended) || there == RST || back == RST);
        self.flows.remove(&flow.client);
    }
}

#[test]
fn no_two_flows_share_a_tuple_and_every_reply_reaches_its_client() {
    let mut refused = 0;
    for seed in 0..4 {
        let ports = 61_000 + 60 * (1 + u16::try_from(seed).unwrap() % 2);
        let mut model = Model::new(seed, Setup::new().sessions(256).snat_ports(61_000, ports));
        for _ in 0..1500 {
            model.step();
        }
        let alive = model.tables.sessions().map(Session::tuple);
        let tuples: Vec<_> = alive.map(|tuple| (tuple.node_port, tuple.node, tuple.backend)).collect();
        assert_eq!(tuples.iter().collect::<BTreeSet<_>>().len(), tuples.len());
        assert!(model.opened > 300, "only {} of seed {seed}", model.opened);
        refused += model.refused;
    }
    assert!(refused > 0, "the table was never full");
}
