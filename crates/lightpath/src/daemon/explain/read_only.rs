//! What the packet path runs on when nothing may change: tables that forget what they are told, and a packet that knows how
//! much of it was looked at.

use std::cell::Cell;

use lightpath_abi::{
    Backend, BackendNumber, Entry, Flow, FlowTable, Pointer, ServiceIndex, Session, SessionSet, Slot, Source,
    VlanInterface, Word,
};
use lightpath_core::directory::{RangeQuery, search_ranges};
use lightpath_core::host::{Buffer, HostTables};
use lightpath_core::{
    Counters, Direction, OutOfBounds, Packet, Parameters, Passing, Reason, ReplyKind, Sighting, Tables,
    follow,
};

/// Tables in which no flow is remembered and nothing is counted: every packet is answered as if it were the next to come.
#[derive(Debug)]
pub(in crate::daemon) struct ReadOnly<'a> {
    tables: &'a HostTables,
    opened: Cell<bool>,
}

impl<'a> ReadOnly<'a> {
    /// Nothing is forgotten yet.
    pub(in crate::daemon) fn new(tables: &'a HostTables) -> Self {
        Self { tables, opened: Cell::new(false) }
    }

    /// Whether a session was opened.
    pub(super) fn has_opened(&self) -> bool {
        self.opened.get()
    }
}

impl Tables for ReadOnly<'_> {
    fn parameters(&self) -> Parameters {
        self.tables.parameters()
    }

    fn filter(&self, index: u32) -> u64 {
        self.tables.filter(index)
    }

    fn entry(&self, index: u32) -> Option<&Entry> {
        self.tables.entry(index)
    }

    fn slot(&self, index: u32) -> Option<Slot> {
        self.tables.slot(index)
    }

    fn backend(&self, number: BackendNumber) -> Option<&Backend> {
        self.tables.backend(number)
    }

    fn source(&self, index: u32) -> Option<&Source> {
        self.tables.source(index)
    }

    fn vlan_interface(&self, index: u32) -> VlanInterface {
        self.tables.vlan_interface(index)
    }

    fn now(&self) -> u32 {
        self.tables.now()
    }

    fn flow(&self, table: FlowTable, place: u32) -> Option<Flow> {
        self.tables.flow(table, place)
    }

    fn remember(&self, _: FlowTable, _: u32, _: Flow) {}

    fn has_direct(&self) -> bool {
        self.tables.has_direct()
    }

    fn set_direct(&self) {}

    fn notice(&self, _: &Passing) {}

    fn is_noticed(&self, key: u64) -> bool {
        self.tables.is_noticed(key)
    }

    fn search_ranges(&self, query: &RangeQuery) -> Option<u32> {
        search_ranges(query, self)
    }

    fn follow(&self, packet: &Sighting) -> BackendNumber {
        follow(packet, self)
    }

    // A session that the packet would open is opened, or nothing could be said of it: these tables are a copy.
    fn session(&self, place: u32) -> Option<&Session> {
        self.tables.session(place)
    }

    fn session_set(&self, index: u32) -> Option<&SessionSet> {
        self.tables.session_set(index)
    }

    fn claim(&self, word: &Word, old: u64, new: u64) -> bool {
        self.tables.claim(word, old, new)
    }

    fn has_session(&self, query: &RangeQuery) -> bool {
        self.tables.has_session(query)
    }

    fn set_answer(&self, word: u64) {
        self.tables.set_answer(word);
    }

    fn answer(&self) -> Option<u64> {
        self.tables.answer()
    }

    fn leads(&self, pointer: Pointer) -> bool {
        self.tables.leads(pointer)
    }

    fn take(&self, key: u32) -> bool {
        let taken = self.tables.take(key);
        self.opened.set(self.opened.get() || taken);
        taken
    }
}

impl Counters for ReadOnly<'_> {
    fn forwarded(&self, _: Direction, _: BackendNumber, _: usize) {}

    fn opened(&self, _: BackendNumber) {}

    fn dropped(&self, _: Reason, _: ServiceIndex) {}

    fn permits_error(&self) -> bool {
        true
    }

    fn replied(&self, _: ReplyKind) {}
}

/// A packet in ordinary memory that notes how far into it was read.
#[derive(Debug)]
pub(super) struct WatchedPacket {
    packet: Buffer,
    /// Where its first byte was when it came, seen from where it is now.
    front: isize,
    reach: Cell<usize>,
}

impl WatchedPacket {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self { packet: Buffer::new(bytes), front: 0, reach: Cell::new(0) }
    }

    /// The packet as it is now.
    pub(super) fn bytes(&self) -> &[u8] {
        self.packet.bytes()
    }

    /// Bytes from the first to the last that was read.
    pub(super) fn reach(&self) -> usize {
        self.reach.get()
    }
}

impl Packet for WatchedPacket {
    fn len(&self) -> usize {
        self.packet.len()
    }

    fn load<const N: usize>(&self, offset: usize) -> Result<[u8; N], OutOfBounds> {
        let bytes = self.packet.load(offset)?;
        let reached = (offset + N).saturating_add_signed(-self.front);
        self.reach.set(self.reach.get().max(reached));
        Ok(bytes)
    }

    fn store<const N: usize>(&mut self, offset: usize, bytes: [u8; N]) -> Result<(), OutOfBounds> {
        self.packet.store(offset, bytes)
    }

    fn total_length(&self) -> usize {
        self.packet.total_length()
    }

    fn push(&mut self, bytes: usize) -> Result<(), OutOfBounds> {
        self.packet.push(bytes)?;
        self.front = self.front.saturating_add_unsigned(bytes);
        Ok(())
    }

    fn pull(&mut self, bytes: usize) -> Result<(), OutOfBounds> {
        self.packet.pull(bytes)?;
        self.front = self.front.saturating_sub_unsigned(bytes);
        Ok(())
    }

    fn truncate(&mut self, length: usize) -> Result<(), OutOfBounds> {
        self.packet.truncate(length)
    }
}
