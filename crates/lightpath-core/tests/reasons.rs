//! Reasons that no packet of the table can bring about: they take a packet or tables that contradict themselves.

use lightpath_abi::NextHop;
use lightpath_core::{Drop, OutOfBounds, Packet, Reason, SlicePacket, Verdict, forward};
use lightpath_testkit::cases::run_on_host;
use lightpath_testkit::node::Node;
use lightpath_testkit::packet::tcp;
use lightpath_testkit::{Service, Setup, service};

/// A packet of which only the first bytes can be written.
struct PartlyWritable<'a> {
    packet: SlicePacket<'a>,
    writable: usize,
}

impl Packet for PartlyWritable<'_> {
    fn len(&self) -> usize {
        self.packet.len()
    }

    fn total_length(&self) -> usize {
        self.packet.total_length()
    }

    fn push(&mut self, bytes: usize) -> Result<(), OutOfBounds> {
        self.packet.push(bytes)
    }

    fn pull(&mut self, bytes: usize) -> Result<(), OutOfBounds> {
        self.packet.pull(bytes)
    }

    fn truncate(&mut self, length: usize) -> Result<(), OutOfBounds> {
        self.packet.truncate(length)
    }

    fn load<const N: usize>(&self, offset: usize) -> Result<[u8; N], OutOfBounds> {
        self.packet.load(offset)
    }

    fn store<const N: usize>(&mut self, offset: usize, bytes: [u8; N]) -> Result<(), OutOfBounds> {
        if offset + N > self.writable { Err(OutOfBounds) } else { self.packet.store(offset, bytes) }
    }
}

#[test]
fn a_packet_that_cannot_be_rewritten_is_dropped_whichever_write_fails() {
    let hop = Node::default().backend_hop();
    for (vip, backend, client) in [
        ("203.0.113.10", "10.0.0.11:8080", "198.51.100.10:4000"),
        ("2001:db8:a::10", "[fd00::11]:8080", "[2001:db8:1::10]:4000"),
    ] {
        let contents = Setup::new().with(service("web", vip, 80).backend(backend, hop)).contents();
        let to = if vip.contains(':') { format!("[{vip}]:80") } else { format!("{vip}:80") };
        let headers = tcp(client, &to).payload(b"").build().len();
        let mut dropped = 0;
        for writable in 0..=headers {
            let tables = contents.host_tables();
            let mut bytes = tcp(client, &to).build();
            let mut packet = PartlyWritable { packet: SlicePacket(&mut bytes), writable };
            let verdict = forward(&mut packet, &tables, &tables);
            if let Verdict::Forward(_) = verdict {
                // Whatever is written ends with the transport checksum, two bytes before the urgent pointer.
                assert!(writable >= headers - 2, "{writable} of {headers}");
                continue;
            }
            dropped += 1;
            assert_eq!(verdict, Verdict::Drop(Drop { reason: Reason::Rewrite, service: 1 }));
            assert_eq!(tables.counted().reasons[Reason::Rewrite as usize], 1);
            assert_eq!(tables.counted().services, [(1, 1)].into());
            assert!(tables.counted().backends.is_empty());
        }
        assert_eq!(dropped, headers - 2);
    }
}

/// Slots beyond the array, and backends that are not there: as while tables are exchanged badly.
#[test]
fn tables_that_contradict_themselves_drop_the_packet() {
    let hop = Node::default().backend_hop();
    let contents =
        Setup::new().with(service("web", "203.0.113.10", 80).backend("10.0.0.11:8080", hop)).contents();
    let (mut no_slots, mut no_backends) = (contents.clone(), contents);
    no_slots.image.slots.clear();
    no_backends.image.backends.clear();
    for contents in [no_slots, no_backends] {
        let tables = contents.host_tables();
        let mut packet = tcp("198.51.100.10:4000", "203.0.113.10:80").build();
        let verdict = forward(&mut SlicePacket(&mut packet), &tables, &tables);
        assert_eq!(verdict, Verdict::Drop(Drop { reason: Reason::StaleSlot, service: 1 }));
    }
}

/// A way without a known MTU takes anything; an IP length has 16 bits.
#[test]
fn a_packet_too_long_for_a_tunnel_on_any_way_is_dropped() {
    let node = Node::default();
    let hop = NextHop { mtu: 0, ..node.backend_hop() };
    let web = |service: Service| service.backend("10.0.0.11", hop);
    let contents = Setup::new()
        .with(web(service("ipip", "203.0.113.10", 80).ipip()))
        .with(web(service("gue", "203.0.113.10", 81).gue()))
        .contents();
    let tables = contents.host_tables();
    for (port, outer, service) in [(80, 20, 1), (81, 28, 2)] {
        let to = format!("203.0.113.10:{port}");
        for (length, fits) in [(65_535 - outer, true), (65_536 - outer, false), (65_535, false)] {
            let packet = tcp("198.51.100.10:4000", &to).payload(&vec![0; length - 40]).build();
            let (verdict, _) = run_on_host(&packet, &node, &tables);
            let dropped = Verdict::Drop(Drop { reason: Reason::Rewrite, service });
            assert_eq!(verdict == dropped, !fits, "{length} bytes: {verdict:?}");
            assert_eq!(matches!(verdict, Verdict::Forward(_)), fits, "{length} bytes: {verdict:?}");
        }
    }
}

#[test]
fn names_of_reasons_are_told_apart() {
    let mut names = Reason::ALL.map(Reason::name).to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Reason::ALL.len());
}
