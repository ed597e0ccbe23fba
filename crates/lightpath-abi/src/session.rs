use crate::{Address, BackendNumber, ServiceIndex, Word};

/// A flow of a `fullnat` service, in two cache lines: what both of its directions are rewritten to, and how far it has come.
///
/// It is the only record of the flow. Its place in the array of sessions follows from the tuple of its replies, so that no two
/// flows can have the same; packets of the client find it by an index, which counts only while it is right. What changes while
/// packets flow is a word each, and each has one writer: whoever claims the place, the client's packets, the backend's packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Session {
    /// A [`Claim`]; 0 marks a place that is free.
    pub claim: Word,
    /// What the client's packets said: a [`Side`].
    pub client_side: Word,
    /// What the backend's packets said: a [`Side`].
    pub backend_side: Word,
    /// Backend, service and protocol.
    owner: Word,
    client: [Word; 2],
    vip: [Word; 2],
    node: [Word; 2],
    backend: [Word; 2],
    /// Ports of client, VIP, node and backend.
    ports: Word,
    /// The hash of the client's flow.
    flow: Word,
    /// Zero; fills the second cache line.
    reserved: [Word; 2],
}

/// 64-bit words of a [`Session`].
pub const SESSION_WORDS: usize = size_of::<Session>() / size_of::<Word>();

const _: () = assert!(size_of::<Session>() == 128);

/// How clients' packets find their sessions: a few neighbouring places of the index, in one cache line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SessionSet(pub [Word; SESSION_WAYS]);

/// Places in the index that a flow may have. With two places for each session the first flow is turned away when about two fifths of
/// all sessions are in use.
pub const SESSION_WAYS: usize = 8;

const _: () = assert!(size_of::<SessionSet>() == 64);

impl SessionSet {
    /// How many sets there are for so many sessions, both powers of two.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a set has eight places")]
    pub const fn count(sessions: u32) -> u32 {
        let sets = sessions / (SESSION_WAYS as u32 / 2);
        if sets == 0 { 1 } else { sets }
    }
}

/// A place in the index: part of the hash of a client's flow, and the key of its session's [`Claim`]. 0 is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The upper half of the flow's hash.
    pub flow: u32,
    /// The session.
    pub key: u32,
}

impl Pointer {
    /// As stored.
    #[inline(always)]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        (self.flow as u64) << 32 | self.key as u64
    }

    /// From its stored form.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken in turn")]
    pub const fn from_word(word: u64) -> Self {
        Self { flow: (word >> 32) as u32, key: word as u32 }
    }
}

/// Whose flow a [`Session`] is, and where its packets go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct SessionTuple {
    /// Address of the client.
    pub client: Address,
    /// The address it talks to.
    pub vip: Address,
    /// The address of this node that the backend sees as its client's.
    pub node: Address,
    /// Address of the backend.
    pub backend: Address,
    /// Port of the client.
    pub client_port: u16,
    /// Port of the VIP.
    pub vip_port: u16,
    /// Port of this node.
    pub node_port: u16,
    /// Port of the backend.
    pub backend_port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Zero.
    pub reserved: u8,
    /// The backend's number.
    pub number: BackendNumber,
    /// The service.
    pub service: ServiceIndex,
    /// Zero.
    pub padding: u16,
    /// The hash of the client's flow.
    pub flow: u64,
}

/// Who has a session's place, in one word, so that it is claimed by one compare-and-swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Half of the hash of its replies' tuple, which says where it is; the highest bit is set.
    pub key: u32,
    /// When it was claimed, in seconds of the monotonic clock.
    pub since: u32,
}

impl Claim {
    /// As stored.
    #[inline(always)]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        (self.key as u64) << 32 | self.since as u64
    }

    /// From its stored form.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken in turn")]
    pub const fn from_word(word: u64) -> Self {
        Self { key: (word >> 32) as u32, since: word as u32 }
    }
}

/// What the packets of one direction of a session said so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Some of the constants below.
    pub state: u8,
    /// When the last of them was seen, in seconds of the monotonic clock.
    pub seen: u32,
}

impl Side {
    /// A packet; of a TCP client, one other than a SYN.
    pub const SPOKE: u8 = 1;
    /// A FIN: it sends nothing more.
    pub const FIN: u8 = 1 << 1;
    /// A RST, and nothing since.
    pub const RST: u8 = 1 << 2;
    /// The client has begun anew with another session. The place is kept for as long as if it had not, for its port to rest.
    pub const LEFT: u8 = 1 << 3;

    /// As stored.
    #[inline(always)]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        (self.state as u64) << 32 | self.seen as u64
    }

    /// From its stored form.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken in turn")]
    pub const fn from_word(word: u64) -> Self {
        Self { state: (word >> 32) as u8, seen: word as u32 }
    }

    /// Whether any of these states was reached.
    #[inline(always)]
    #[must_use]
    pub const fn has(self, state: u8) -> bool {
        self.state & state != 0
    }
}

#[expect(clippy::cast_possible_truncation, reason = "fields are the low bits of a shifted word")]
impl Session {
    /// A session of these words.
    #[must_use]
    pub fn from_words(words: [u64; SESSION_WORDS]) -> Self {
        let [claim, client_side, backend_side, owner, rest @ ..] = words.map(Word::new);
        let [client_high, client_low, vip_high, vip_low, rest @ ..] = rest;
        let [node_high, node_low, backend_high, backend_low, ports, flow, reserved @ ..] = rest;
        Self {
            claim,
            client_side,
            backend_side,
            owner,
            client: [client_high, client_low],
            vip: [vip_high, vip_low],
            node: [node_high, node_low],
            backend: [backend_high, backend_low],
            ports,
            flow,
            reserved,
        }
    }

    /// Fills a place that was claimed.
    #[inline(always)]
    pub fn fill(&self, tuple: &SessionTuple) {
        let SessionTuple { client, vip, node, backend, .. } = tuple;
        store(&self.client, *client);
        store(&self.vip, *vip);
        store(&self.node, *node);
        store(&self.backend, *backend);
        let ports = [tuple.client_port, tuple.vip_port, tuple.node_port, tuple.backend_port];
        self.ports.store(ports.into_iter().fold(0, |word, port| word << 16 | u64::from(port)));
        self.flow.store(tuple.flow);
        let (number, service) = (u64::from(tuple.number), u64::from(tuple.service));
        self.owner.store(u64::from(tuple.protocol) << 32 | service << 16 | number);
    }

    /// Whose flow it is, as a whole.
    #[must_use]
    pub fn tuple(&self) -> SessionTuple {
        SessionTuple {
            client: self.client(),
            vip: self.vip(),
            node: self.node(),
            backend: self.backend(),
            client_port: self.client_port(),
            vip_port: self.vip_port(),
            node_port: self.node_port(),
            backend_port: self.backend_port(),
            protocol: self.protocol(),
            number: self.number(),
            service: self.service(),
            flow: self.flow(),
            ..SessionTuple::default()
        }
    }

    /// Address of the client.
    #[inline(always)]
    #[must_use]
    pub fn client(&self) -> Address {
        load(&self.client)
    }

    /// The address it talks to.
    #[inline(always)]
    #[must_use]
    pub fn vip(&self) -> Address {
        load(&self.vip)
    }

    /// The address of this node that the backend sees as its client's.
    #[inline(always)]
    #[must_use]
    pub fn node(&self) -> Address {
        load(&self.node)
    }

    /// Address of the backend.
    #[inline(always)]
    #[must_use]
    pub fn backend(&self) -> Address {
        load(&self.backend)
    }

    /// Port of the client.
    #[inline(always)]
    #[must_use]
    pub fn client_port(&self) -> u16 {
        (self.ports.load() >> 48) as u16
    }

    /// Port of the VIP.
    #[inline(always)]
    #[must_use]
    pub fn vip_port(&self) -> u16 {
        (self.ports.load() >> 32) as u16
    }

    /// Port of this node.
    #[inline(always)]
    #[must_use]
    pub fn node_port(&self) -> u16 {
        (self.ports.load() >> 16) as u16
    }

    /// Port of the backend.
    #[inline(always)]
    #[must_use]
    pub fn backend_port(&self) -> u16 {
        self.ports.load() as u16
    }

    /// The backend's number.
    #[inline(always)]
    #[must_use]
    pub fn number(&self) -> BackendNumber {
        self.owner.load() as u16
    }

    /// The service.
    #[inline(always)]
    #[must_use]
    pub fn service(&self) -> ServiceIndex {
        (self.owner.load() >> 16) as u16
    }

    /// The hash of the client's flow.
    #[inline(always)]
    #[must_use]
    pub fn flow(&self) -> u64 {
        self.flow.load()
    }

    /// IP protocol number.
    #[inline(always)]
    #[must_use]
    pub fn protocol(&self) -> u8 {
        (self.owner.load() >> 32) as u8
    }
}

#[inline(always)]
fn load(words: &[Word; 2]) -> Address {
    Address { high: words[0].load(), low: words[1].load() }
}

#[inline(always)]
fn store(words: &[Word; 2], address: Address) {
    words[0].store(address.high);
    words[1].store(address.low);
}
