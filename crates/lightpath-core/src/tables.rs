use lightpath_abi::{
    Address, Backend, BackendNumber, Entry, Features, Flow, FlowTable, NextHop, Pointer, Session, SessionSet,
    Slot, Source, VlanInterface, Word,
};

use crate::directory::RangeQuery;
use crate::{HashKey, Passing, Reason, Sighting};

/// What the packet path looks up. In the kernel these are BPF maps, elsewhere plain collections.
pub trait Tables {
    /// What was fixed when the program was loaded.
    fn parameters(&self) -> Parameters;

    /// A word of the Bloom filters: `FILTER_WORDS` words for VIPs, then as many for backends that send replies.
    fn filter(&self, index: u32) -> u64;

    /// A line of the directory, by position.
    fn entry(&self, index: u32) -> Option<&Entry>;

    /// A slot, by its index in the array of all slots.
    fn slot(&self, index: u32) -> Option<Slot>;

    /// A backend, by its number.
    fn backend(&self, number: BackendNumber) -> Option<&Backend>;

    /// A prefix of this node's own addresses, by its index in the array of all.
    fn source(&self, index: u32) -> Option<&Source>;

    /// What the interface with this index is; one beyond the table is the kernel's.
    fn vlan_interface(&self, index: u32) -> VlanInterface;

    /// Seconds of the monotonic clock.
    fn now(&self) -> u32;

    /// The flow in a place of a flow table.
    fn flow(&self, table: FlowTable, place: u32) -> Option<Flow>;

    /// Puts a flow into a place of a flow table.
    fn remember(&self, table: FlowTable, place: u32, flow: Flow);

    /// Whether connections made straight to backends are remembered.
    fn has_direct(&self) -> bool;

    /// From now on some are.
    fn set_direct(&self);

    /// [`notice`](crate::notice) over these tables, a function of its own in the BPF program.
    fn notice(&self, packet: &Passing);

    /// [`is_noticed`](crate::is_noticed) over these tables, likewise.
    fn is_noticed(&self, key: u64) -> bool;

    /// [`search_ranges`](crate::directory::search_ranges) over these tables. The BPF program makes it a function of its own.
    fn search_ranges(&self, query: &RangeQuery) -> Option<u32>;

    /// [`follow`](crate::follow) over these tables.
    ///
    /// The BPF program makes it a function of its own: packets of settled slots, which are nearly all, do not pay for what it
    /// keeps in registers and on the stack, and the verifier walks it once.
    fn follow(&self, packet: &Sighting) -> BackendNumber;

    /// The session in a place, of as many as [`Parameters::session_mask`] says.
    fn session(&self, place: u32) -> Option<&Session>;

    /// A set of the sessions' index.
    fn session_set(&self, index: u32) -> Option<&SessionSet>;

    /// Changes a word of a session or of the index from `old` to `new` at once, unless somebody else was faster. Whether it was
    /// changed.
    fn claim(&self, word: &Word, old: u64, new: u64) -> bool;

    /// [`has_session`](crate::has_session) over these tables. The BPF program makes it a function of its own.
    fn has_session(&self, query: &RangeQuery) -> bool;

    /// Keeps the answer that the packet in hand is to be given, for the [answer path](crate::answer_path).
    fn set_answer(&self, word: u64);

    /// The answer that the packet in hand is to be given.
    fn answer(&self) -> Option<u64>;

    /// [`leads`](crate::leads) over these tables. The BPF program makes it a function of its own.
    fn leads(&self, pointer: Pointer) -> bool;

    /// [`take`](crate::take) over these tables. The BPF program makes it a function of its own.
    fn take(&self, key: u32) -> bool;
}

/// The routing of the node that the packet path runs on.
pub trait Routes {
    /// Where this node would forward such a packet.
    fn route(&self, query: &RouteQuery) -> Route;
}

/// What was fixed when the program was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// What the configuration needs.
    pub features: Features,
    /// Lines of the directory, a power of two, less one.
    pub directory_mask: u32,
    /// Bit `n` is set when some service's ports need a prefix of `n` bits; 16, a single port, is not listed.
    pub port_prefixes: u32,
    /// Key of the flow hash.
    pub hash_key: HashKey,
    /// Sessions of `fullnat` that there is room for, a power of two, less one.
    pub session_mask: u32,
    /// Ports of this node that `fullnat` sends from.
    pub snat_ports: PortPool,
}

/// Ports of this node that packets to backends come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct PortPool {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl PortPool {
    /// How many there are.
    #[inline(always)]
    #[must_use]
    pub const fn count(self) -> u32 {
        (self.last as u32 + 1).saturating_sub(self.first as u32)
    }
}

/// A packet as its route depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteQuery {
    /// Whether it is IPv4.
    pub v4: bool,
    /// Source address as the packet will leave.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// Bytes from the IP header on.
    pub length: u16,
    /// Type of service or traffic class.
    pub tos: u8,
}

/// Where this node would forward a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To this neighbour, by an interface that may be a VLAN's.
    Via(NextHop),
    /// There is a route, but its neighbour's MAC address is not known yet.
    Unresolved,
    /// Not at all: the destination is this node itself, or nothing this node knows.
    NotForwarded,
    /// It is bigger than the way takes.
    TooBig {
        /// Bytes of the largest packet that it takes.
        mtu: u16,
    },
    /// There is a rule against it.
    Refused(Reason),
}
