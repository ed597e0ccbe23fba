//! The directory against a `BTreeMap`, and what a search sees while it changes.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use lightpath_abi::{
    Address, Backend, BackendNumber, Entry, FILTER_WORDS, Features, Flow, FlowTable, Pointer, Role,
    ServiceIndex, Session, SessionSet, Slot, Source, Tag, VlanInterface, Word,
};
use lightpath_core::directory::{
    Full, Lines, RangeQuery, filter_place, find, insert, may_be_vip, may_reply, remove, search, search_ranges,
};
use lightpath_core::wire::{TCP, UDP};
use lightpath_core::{HashKey, Parameters, Passing, PortPool, Sighting, Tables};
use proptest::prelude::*;

type Key = (Address, Tag);

/// A directory that checks, after every line that changes, that everything which should be found is.
struct Watched {
    lines: Vec<Entry>,
    filter: Vec<u64>,
    parameters: Parameters,
    model: BTreeMap<Key, Entry>,
}

impl Watched {
    fn new(lines: u32, seed: &str) -> Self {
        let parameters = Parameters {
            features: Features::ALL,
            directory_mask: lines - 1,
            port_prefixes: 0xffff,
            hash_key: HashKey::from_seed(seed),
            session_mask: 0,
            snat_ports: PortPool { first: 1024, last: 65_535 },
        };
        let lines = vec![Entry::default(); lines as usize];
        Self { lines, filter: vec![0; 2 * FILTER_WORDS as usize], parameters, model: BTreeMap::new() }
    }

    fn insert(&mut self, entry: &Entry) -> Result<(), Full> {
        let Parameters { hash_key, directory_mask, .. } = self.parameters;
        let (word, bit) = filter_place(entry.tag.role().unwrap(), entry.address).unwrap();
        self.filter[word as usize] |= bit;
        insert(self, hash_key, directory_mask, entry)?;
        self.model.insert((entry.address, entry.tag), *entry);
        Ok(())
    }

    fn remove(&mut self, (address, tag): Key) {
        let Parameters { hash_key, directory_mask, .. } = self.parameters;
        self.model.remove(&(address, tag));
        remove(self, hash_key, directory_mask, address, tag);
    }

    fn assert_all_found(&self) {
        for ((address, tag), entry) in &self.model {
            assert_eq!(
                find(self, *address, *tag).map(|found| found.tag),
                Some(entry.tag),
                "{address} is lost"
            );
        }
    }

    /// Nothing but the model's entries is there, each once.
    fn assert_equals_model(&self) {
        let mut present: Vec<Entry> =
            self.lines.iter().copied().filter(|line| line.tag.role().is_some()).collect();
        present.sort_by_key(|entry| (entry.address, entry.tag));
        assert_eq!(present, self.model.values().copied().collect::<Vec<_>>());
    }
}

impl Lines for Watched {
    fn line(&self, position: u32) -> Entry {
        self.lines[position as usize]
    }

    fn replace(&mut self, position: u32, entry: &Entry) {
        self.lines[position as usize] = *entry;
        self.assert_all_found();
    }
}

impl Tables for Watched {
    fn session(&self, _: u32) -> Option<&Session> {
        None
    }

    fn session_set(&self, _: u32) -> Option<&SessionSet> {
        None
    }

    fn claim(&self, _: &Word, _: u64, _: u64) -> bool {
        false
    }

    fn has_session(&self, _: &RangeQuery) -> bool {
        false
    }

    fn set_answer(&self, _: u64) {}

    fn answer(&self) -> Option<u64> {
        None
    }

    fn leads(&self, _: Pointer) -> bool {
        false
    }

    fn take(&self, _: u32) -> bool {
        false
    }

    fn parameters(&self) -> Parameters {
        self.parameters
    }

    fn filter(&self, index: u32) -> u64 {
        self.filter[index as usize]
    }

    fn entry(&self, index: u32) -> Option<&Entry> {
        self.lines.get(index as usize)
    }

    fn slot(&self, _: u32) -> Option<Slot> {
        None
    }

    fn backend(&self, _: BackendNumber) -> Option<&Backend> {
        None
    }

    fn source(&self, _: u32) -> Option<&Source> {
        None
    }

    fn vlan_interface(&self, _: u32) -> VlanInterface {
        VlanInterface::default()
    }

    fn now(&self) -> u32 {
        0
    }

    fn flow(&self, _: FlowTable, _: u32) -> Option<Flow> {
        None
    }

    fn remember(&self, _: FlowTable, _: u32, _: Flow) {}

    fn has_direct(&self) -> bool {
        false
    }

    fn set_direct(&self) {}

    fn notice(&self, _: &Passing) {}

    fn is_noticed(&self, _: u64) -> bool {
        false
    }

    fn search_ranges(&self, query: &RangeQuery) -> Option<u32> {
        search_ranges(query, self)
    }

    fn follow(&self, _: &Sighting) -> BackendNumber {
        0
    }
}

fn entry(address: u32, port: u16, service: ServiceIndex) -> Entry {
    Entry {
        address: Address::v4(address),
        tag: Tag::new(Role::Service, TCP, port, 16),
        service,
        ..Entry::default()
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Insert { address: u32, port: u16, service: ServiceIndex },
    Remove { address: u32, port: u16 },
}

/// Few addresses and ports, so that entries are replaced and removed, not only added.
fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        2 => (0..12_u32, 0..6_u16, 1..9_u16)
            .prop_map(|(address, port, service)| Operation::Insert { address, port, service }),
        1 => (0..12_u32, 0..6_u16).prop_map(|(address, port)| Operation::Remove { address, port }),
    ]
}

proptest! {
    /// Seventy-two possible entries for 128 lines: often it is too full, and then nothing may have changed.
    #[test]
    fn operations_do_to_it_what_they_do_to_a_map(
        seed in "[a-z]{1,8}", operations in prop::collection::vec(operation(), 0..200),
    ) {
        let mut directory = Watched::new(128, &seed);
        for operation in operations {
            match operation {
                Operation::Insert { address, port, service } => {
                    let _ = directory.insert(&entry(address, port, service));
                }
                Operation::Remove { address, port } => {
                    let entry = entry(address, port, 0);
                    directory.remove((entry.address, entry.tag));
                }
            }
            directory.assert_equals_model();
        }
        directory.assert_all_found();
    }

    #[test]
    fn an_address_that_is_listed_is_never_filtered_out(addresses in prop::collection::vec(any::<u128>(), 1..200)) {
        let mut directory = Watched::new(1024, "filter");
        for bits in &addresses {
            let address = Address::from(IpAddr::from(Ipv6Addr::from_bits(*bits)));
            directory.insert(&Entry { address, tag: Tag::VIP, ..Entry::default() }).unwrap();
            let reply = Entry { address, tag: Tag::new(Role::Reply, UDP, 53, 16), ..Entry::default() };
            let (word, bit) = filter_place(Role::Reply, reply.address).unwrap();
            directory.filter[word as usize] |= bit;
            prop_assert!(may_be_vip(&directory, address) && may_reply(&directory, address));
        }
    }
}

/// Addresses of one network and ports of one service each, as configurations have them.
#[test]
fn thousands_of_entries_fill_it_to_45_percent() {
    for seed in 0..20 {
        let lines = 8192;
        let key = HashKey::from_seed(&format!("seed {seed}"));
        let mut directory = vec![Entry::default(); lines as usize];
        for number in 0..lines * 45 / 100 {
            let entry = entry(0xcb00_7100 + number / 4, [8000, 8001, 8443, 9000][number as usize % 4], 1);
            let full = format!("seed {seed} is full at {number} of {lines}");
            insert(&mut directory, key, lines - 1, &entry).expect(&full);
        }
    }
}

/// The capacity that is made for a configuration has three lines an entry, and never fewer than 256.
#[test]
fn a_third_full_it_takes_every_entry_of_a_small_configuration() {
    let mut full = 0;
    for seed in 0..2000 {
        let key = HashKey::from_seed(&format!("seed {seed}"));
        let mut directory = vec![Entry::default(); 256];
        let refused =
            |number: u32| insert(&mut directory, key, 255, &entry(0xcb00_7100 + number, 80, 1)).is_err();
        full += usize::from((0..85).any(refused));
    }
    assert_eq!(full, 0, "of 2000 keys, so many cannot place 85 entries in 256 lines");
}

#[test]
fn the_filter_keeps_strangers_out() {
    let mut directory = Watched::new(1024, "filter");
    for number in 0..200 {
        let address = Address::v4(0xcb00_7100 + number);
        directory.insert(&Entry { address, tag: Tag::VIP, ..Entry::default() }).unwrap();
    }
    let strangers = (0..100_000_u32).map(|number| Address::v4(number.wrapping_mul(0x9e37_79b9) | 1 << 31));
    let let_in = strangers.filter(|address| may_be_vip(&directory, *address)).count();
    // 200 bits of 65,536: three in a thousand.
    assert!((100..1000).contains(&let_in), "{let_in} of 100,000");
}

#[test]
fn the_entry_with_the_fewest_ports_is_found() {
    let mut directory = Watched::new(64, "ports");
    let vip = Address::v4(0xcb00_710a);
    let of = |port, prefix, service| Entry {
        address: vip,
        tag: Tag::new(Role::Service, TCP, port, prefix),
        service,
        ..Entry::default()
    };
    for entry in [of(0, 0, 1), of(8000, 6, 2), of(8192, 8, 3), of(8192, 16, 4)] {
        directory.insert(&entry).unwrap();
    }
    let service = |port| search(&directory, Role::Service, vip, TCP, port).map(|entry| entry.service);
    for (port, expected) in
        [(0, 1), (65_535, 1), (7167, 1), (7168, 2), (8191, 2), (8192, 4), (8193, 3), (8447, 3)]
    {
        assert_eq!(service(port), Some(expected), "port {port}");
    }
    assert_eq!(service(9000), Some(1));
    assert_eq!(search(&directory, Role::Service, vip, UDP, 8192), None);
    assert_eq!(search(&directory, Role::Reply, vip, TCP, 8192), None);
}
