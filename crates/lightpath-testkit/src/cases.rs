//! The table of packets: each with what has to become of it, whoever runs the packet path.
//!
//! Expected packets are built from scratch, with checksums of their own, never derived from what went in.

mod answers;
mod dropped;
mod errors;
mod forwarded;
mod fragments;
mod fullnat;
mod passed;
mod quic;
mod replies;
mod services;
mod tunnels;

use lightpath_core::host::{Buffer, HostTables};
use lightpath_core::{Budget, Reason, Verdict, forward};

use crate::node::Node;
use crate::packet::PacketBuilder;
use crate::{Action, action, describe, difference};

pub use services::{contents, stateless_contents};

/// A client on the front, IPv4.
const CLIENT4: &str = "198.51.100.10:4000";
/// A client on the front, IPv6.
const CLIENT6: &str = "[2001:db8:1::10]:4000";

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Case {
    /// What the row is about.
    pub what: String,
    /// The node it happens on.
    pub node: Node,
    /// Index of the interface that receives the packet.
    pub ingress: u32,
    /// Packets that came before it.
    pub before: Vec<Vec<u8>>,
    /// The packet as received.
    pub packet: Vec<u8>,
    /// What has to become of it.
    pub expected: Expected,
}

/// What has to become of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The kernel gets it untouched.
    Pass,
    /// It ends here, untouched.
    Drop(Reason),
    /// It goes on, changed to this.
    Send(Action, Vec<u8>),
    /// It ends here, for a reason unless it was meant for this node, and becomes this answer.
    Answer(Option<Reason>, Vec<u8>),
}

impl Expected {
    /// The action that the program has to return.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Self::Pass => Action::Pass,
            Self::Drop(_) => Action::Drop,
            Self::Send(action, _) => *action,
            Self::Answer(..) => Action::Transmit,
        }
    }
}

impl Case {
    fn new(what: impl Into<String>, packet: &PacketBuilder, expected: Expected) -> Self {
        let node = Node::default();
        Self {
            what: what.into(),
            node,
            ingress: node.front,
            before: Vec::new(),
            packet: packet.build(),
            expected,
        }
    }

    fn pass(what: &str, packet: &PacketBuilder) -> Self {
        Self::new(what, packet, Expected::Pass)
    }

    fn drop(what: &str, reason: Reason, packet: &PacketBuilder) -> Self {
        Self::new(what, packet, Expected::Drop(reason))
    }

    fn send(what: &str, action: Action, packet: &PacketBuilder, sent: &PacketBuilder) -> Self {
        Self::new(what, packet, Expected::Send(action, sent.build()))
    }

    fn answer(
        what: &str,
        reason: impl Into<Option<Reason>>,
        packet: &PacketBuilder,
        answer: &PacketBuilder,
    ) -> Self {
        Self::new(what, packet, Expected::Answer(reason.into(), answer.build()))
    }

    /// This packet came before.
    fn after(mut self, packet: &PacketBuilder) -> Self {
        self.before.push(packet.build());
        self
    }

    /// Received by the back interface, as a backend's packet is.
    fn by_the_back(mut self) -> Self {
        self.ingress = self.node.back;
        self
    }

    fn without_forwarding(mut self) -> Self {
        self.node.forwarding = false;
        self
    }

    fn with_interfaces_of(mut self, node: &Node) -> Self {
        self.ingress = if self.ingress == self.node.back { node.back } else { node.front };
        self.node = Node { forwarding: self.node.forwarding, ..*node };
        self
    }

    /// The packet as it has to leave.
    #[must_use]
    pub fn expected_packet(&self) -> &[u8] {
        match &self.expected {
            Expected::Pass | Expected::Drop(_) => &self.packet,
            Expected::Send(_, sent) | Expected::Answer(_, sent) => sent,
        }
    }

    /// Runs the row over tables in ordinary memory; an error when it does not come to what is expected.
    pub fn check_on_host(&self, tables: &HostTables) -> Result<(), String> {
        for packet in &self.before {
            let _ = run_on_host(packet, &self.node, tables);
        }
        let (verdict, packet) = run_on_host(&self.packet, &self.node, tables);
        if let (Expected::Drop(expected), Verdict::Drop(drop)) = (&self.expected, verdict)
            && drop.reason != *expected
        {
            return Err(format!("{}: dropped for {:?} instead of {expected:?}", self.what, drop.reason));
        }
        if let (Expected::Answer(expected, _), Verdict::Reply(reply)) = (&self.expected, verdict)
            && reply.reason != *expected
        {
            return Err(format!("{}: answered for {:?} instead of {expected:?}", self.what, reply.reason));
        }
        self.check(action(verdict, self.ingress) as u32, &packet)
    }

    /// Compares what the row expects with what became of its packet: an `XDP_*` action and bytes.
    pub fn check(&self, action: u32, packet: &[u8]) -> Result<(), String> {
        let expected = self.expected.action();
        if action != expected as u32 {
            return Err(format!(
                "{}: action {action} instead of {expected:?}\n{}",
                self.what,
                describe(&self.packet)
            ));
        }
        difference(self.expected_packet(), packet)
            .map_or(Ok(()), |text| Err(format!("{}: {text}", self.what)))
    }
}

/// Fails with all that went wrong, if anything did.
#[track_caller]
pub fn assert_all_hold(results: impl IntoIterator<Item = Result<(), String>>) {
    let (mut rows, mut failures) = (0, Vec::new());
    for result in results {
        rows += 1;
        failures.extend(result.err());
    }
    assert!(failures.is_empty(), "{} of {rows} rows fail\n{}", failures.len(), failures.join("\n"));
}

/// Takes a packet through the packet path on `node`, whose routes are asked as the kernel's would be: the verdict, and the
/// packet as it leaves.
pub fn run_on_host<'a>(packet: &[u8], node: &Node, tables: &'a HostTables) -> (Verdict<'a>, Vec<u8>) {
    let mut packet = Buffer::new(packet);
    // As after a while without errors: how many are sent in a second is for tests of that.
    tables.errors.set(Budget::default());
    let verdict = forward(&mut packet, tables, node);
    (verdict, packet.bytes().to_vec())
}

/// Every row, on a node with the interfaces of `node`.
#[must_use]
pub fn cases(node: &Node) -> Vec<Case> {
    let rows = [
        forwarded::cases(),
        replies::cases(),
        answers::cases(),
        errors::cases(),
        dropped::cases(),
        passed::cases(),
        tunnels::cases(),
        fragments::cases(),
        quic::cases(),
        fullnat::cases(),
    ]
    .concat();
    rows.into_iter().map(|row| row.with_interfaces_of(node)).collect()
}
