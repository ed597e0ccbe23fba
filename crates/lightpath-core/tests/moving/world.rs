use lightpath_abi::{BackendNumber, ServiceIndex, Slot};
use lightpath_control::maglev::{self, Candidate};
use lightpath_core::host::{HostTables, Moves};
use lightpath_core::{Reason, SlicePacket, Tables, Verdict, forward};
use lightpath_testkit::node::Node;
use lightpath_testkit::packet::{self, PacketBuilder};
use lightpath_testkit::{Service, Setup, service};

/// Where clients connect to.
pub(crate) const VIP: &str = "203.0.113.10:80";

const SERVICE: ServiceIndex = 1;

/// A load balancer with one service, its servers and a clock, steered as the daemon steers it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) tables: HostTables,
    pub(crate) servers: Vec<Server>,
    /// What was done to the servers, and when.
    pub(crate) log: Vec<(u32, String)>,
    moves: Moves,
    slots: u32,
    next: BackendNumber,
}

/// A real server. Its number is another one after each failure.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) key: u64,
    pub(crate) number: BackendNumber,
    pub(crate) weight: u16,
    pub(crate) draining: bool,
    pub(crate) failed: bool,
}

impl Server {
    fn new(number: BackendNumber, weight: u16) -> Self {
        Self { key: u64::from(number), number, weight, draining: false, failed: false }
    }

    /// Whether it gets new flows.
    pub(crate) fn takes_flows(&self) -> bool {
        self.weight > 0 && !self.draining && !self.failed
    }
}

/// The service under test: TCP unless more is said of it.
pub(crate) fn web() -> Service {
    service("web", "203.0.113.10", 80)
}

impl World {
    /// `slots` settled slots for servers numbered from 1.
    pub(crate) fn new(web: Service, weights: &[u16], slots: u32) -> Self {
        let servers: Vec<Server> =
            (1..).zip(weights).map(|(number, weight)| Server::new(number, *weight)).collect();
        let places: Vec<usize> = desired(&servers, slots).into_iter().map(usize::from).collect();
        let hop = Node::default().backend_hop();
        let web = (1..=weights.len()).fold(web, |web, host| web.backend(&format!("10.0.0.{host}:80"), hop));
        let mut tables = Setup::new().with(web.slots(&places)).contents().host_tables();
        // Not 0, when the clock of entries never written stands, and soon beyond the 16 bits that entries keep of it.
        tables.now = 60_000;
        let next = BackendNumber::try_from(weights.len()).unwrap() + 1;
        Self { tables, servers, log: Vec::new(), moves: Moves::default(), slots, next }
    }

    pub(crate) fn server(&mut self, number: BackendNumber) -> &mut Server {
        self.servers.iter_mut().find(|server| server.number == number).unwrap()
    }

    /// Changes one server and what follows from it.
    pub(crate) fn change(&mut self, number: BackendNumber, change: impl FnOnce(&mut Server)) {
        change(self.server(number));
        let server = self.server(number).clone();
        self.tables.backends_mut().get_mut(&number).unwrap().serving = u8::from(!server.failed);
        self.publish(format!("{server:?}"));
    }

    pub(crate) fn drain(&mut self, number: BackendNumber) {
        self.change(number, |server| server.draining = true);
    }

    pub(crate) fn undrain(&mut self, number: BackendNumber) {
        self.change(number, |server| server.draining = false);
    }

    pub(crate) fn fail(&mut self, number: BackendNumber) {
        self.change(number, |server| server.failed = true);
    }

    pub(crate) fn add(&mut self, weight: u16) -> BackendNumber {
        let number = self.unused_number();
        self.servers.push(Server::new(number, weight));
        self.publish(format!("added {number}"));
        number
    }

    /// A failed server returns, under a number that no entry knows.
    pub(crate) fn recover(&mut self, number: BackendNumber) -> BackendNumber {
        let new = self.unused_number();
        let server = self.server(number);
        (server.number, server.failed, server.draining) = (new, false, false);
        self.tables.backends_mut().remove(&number);
        self.publish(format!("{number} returns as {new}"));
        new
    }

    pub(crate) fn remove(&mut self, number: BackendNumber) {
        self.servers.retain(|server| server.number != number);
        self.tables.backends_mut().remove(&number);
        self.publish(format!("removed {number}"));
    }

    fn unused_number(&mut self) -> BackendNumber {
        let number = self.next;
        self.next += 1;
        let any = *self.tables.backends_mut().values().next().unwrap();
        self.tables.backends_mut().insert(number, lightpath_abi::Backend { serving: 1, ..any });
        number
    }

    fn publish(&mut self, what: String) {
        self.log.push((self.tables.now, what));
        let wanted = desired(&self.servers, self.slots);
        self.tables.change_slots(SERVICE, &wanted, &mut self.moves);
    }

    pub(crate) fn settle(&mut self) {
        self.tables.settle(&mut self.moves);
    }

    pub(crate) fn wait(&mut self, seconds: u32) {
        self.tables.now += seconds;
    }

    pub(crate) fn serves(&self, number: BackendNumber) -> bool {
        self.tables.backend(number).is_some_and(|backend| backend.serving != 0)
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        (0..self.slots).map(|index| self.tables.slot(index).unwrap())
    }

    pub(crate) fn moving(&self) -> usize {
        self.slots().filter(|slot| slot.previous != 0).count()
    }

    /// Which backend a packet goes to; `None` when it is refused because there is none.
    pub(crate) fn send(&self, packet: &PacketBuilder) -> Option<BackendNumber> {
        match forward(&mut SlicePacket(&mut packet.build()), &self.tables, &self.tables) {
            Verdict::Forward(forwarding) => Some(forwarding.backend),
            Verdict::Drop(drop) if drop.reason == Reason::NoBackend => None,
            verdict => panic!("{verdict:?}"),
        }
    }
}

fn desired(servers: &[Server], slots: u32) -> Vec<BackendNumber> {
    let takers = servers.iter().filter(|server| server.takes_flows());
    let candidates: Vec<Candidate> = takers
        .map(|server| Candidate { key: server.key, weight: server.weight, number: server.number })
        .collect();
    maglev::table(&candidates, slots)
}

/// A TCP connection of a client, by the client's number; every number is another address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) client: u32,
    pub(crate) sequence: u32,
}

/// The address and port of a client.
pub(crate) fn endpoint(client: u32) -> String {
    let [_, high, middle, low] = (client / 60_000).to_be_bytes();
    format!("10.{high}.{middle}.{low}:{}", 1024 + client % 60_000)
}

impl Connection {
    pub(crate) fn syn(self) -> PacketBuilder {
        let packet = packet::tcp(&endpoint(self.client), VIP).payload(b"");
        packet.flags(packet::SYN).sequence(self.sequence)
    }

    /// The acknowledgement that ends the handshake.
    pub(crate) fn ack(self) -> PacketBuilder {
        self.data(1)
    }

    /// A segment so many bytes after the SYN.
    pub(crate) fn data(self, ahead: u32) -> PacketBuilder {
        packet::tcp(&endpoint(self.client), VIP).payload(b"").sequence(self.sequence.wrapping_add(ahead))
    }
}
