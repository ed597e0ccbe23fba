use std::cell::RefCell;
use std::iter;

use lightpath_core::host::{Buffer, Counted, HostTables, Moves};
use lightpath_core::{Direction, Frame, Part, Reason, Reject, Verdict, parse_any};

use super::answered::assert_answers;
use super::judge::{Before, Judge};
use super::sent::assert_rewritten;
use super::sessions::Sessions;
use crate::cases::{run_on_host, stateless_contents};
use crate::node::Node;
use crate::{Contents, Setup, assert_packets_equal, describe, service};

/// How many scenes [`forward`] knows.
pub const SCENES: usize = 5;

/// Takes packets through the packet path, one after another, and tells the fate of each.
///
/// The first byte of the input says in which scene, the first one unless there are that many. Then follow packets, each behind
/// its length in two bytes; one that claims to be longer than the rest is the rest.
///
/// - Whose packet it is and what may become of it is what the list of services, backends and replies says.
/// - Passed or dropped, it stays as it was. Forwarded, what its mode rewrites or puts before it has changed and nothing else: one
///   hop less to go, never none left, and checksums as right or as wrong as they were.
/// - It is counted once, by its verdict, unless it is the kernel's.
/// - The same packet again fares the same.
///
/// The last scene has sessions, of which other things hold.
#[expect(clippy::must_use_candidate, reason = "it is called for what it asserts")]
pub fn forward(input: &[u8]) -> Vec<Fate> {
    thread_local! {
        static STAGE: [Scene; SCENES - 1] = [
            Scene::settled(Node::default(), stateless_contents(&Node::default())),
            Scene::settled(Node { forwarding: false, ..Node::default() }, stateless_contents(&Node::default())),
            Scene::moving(),
            Scene::settled(Node::default(), small()),
        ];
        static SESSIONS: Sessions = Sessions::new();
    }
    let (choice, script) = input.split_first().unwrap_or((&0, &[]));
    let choice = usize::from(*choice);
    if choice == SCENES - 1 {
        return SESSIONS.with(|scene| scene.play(packets(script)));
    }
    STAGE.with(|scenes| scenes.get(choice).unwrap_or(&scenes[0]).play(packets(script)))
}

/// The packets of a script, the first byte of which is read.
fn packets(mut script: &[u8]) -> impl Iterator<Item = &[u8]> {
    iter::from_fn(move || {
        let (length, rest) = script.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (packet, rest) = rest.split_at(length);
        script = rest;
        Some(packet)
    })
}

/// An input for [`forward`].
#[must_use]
pub fn script(scene: u8, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut input = vec![scene];
    for packet in packets {
        input.extend(u16::try_from(packet.len()).expect("a packet's length").to_be_bytes());
        input.extend(packet);
    }
    input
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The kernel got it.
    Passed,
    /// It ended here.
    Dropped(Reason),
    /// It ended here, and its sender got an answer.
    Answered(Option<Reason>),
    /// It went on.
    Forwarded,
}

impl From<Verdict<'_>> for Fate {
    fn from(verdict: Verdict<'_>) -> Self {
        match verdict {
            Verdict::Pass => Self::Passed,
            Verdict::Drop(drop) => Self::Dropped(drop.reason),
            Verdict::Reply(reply) => Self::Answered(reply.reason),
            Verdict::Forward(_) => Self::Forwarded,
            Verdict::Defer(_) => panic!("there is nobody left to defer to"),
        }
    }
}

/// A single service, and a program that knows neither tags nor IPv6.
fn small() -> Contents {
    let hop = Node::default().backend_hop();
    Setup::new()
        .without_vlan()
        .seed("small")
        .with(
            service("web", "203.0.113.10", 80)
                .refusing()
                .backend("10.0.0.11:8080", hop)
                .backend("10.0.0.12:8080", hop)
                .slots(&[1, 2, 0]),
        )
        .contents()
}

/// Tables on a node.
struct Scene {
    judge: Judge,
    /// As a packet finds them.
    fresh: HostTables,
    /// Used again and again while nothing but counters changes in them.
    tables: RefCell<HostTables>,
    /// Whether packets to services leave something behind, as fragments and what goes straight to a backend do.
    remembers: bool,
}

impl Scene {
    fn settled(node: Node, contents: Contents) -> Self {
        let fresh = contents.host_tables();
        let tables = RefCell::new(fresh.clone());
        Self { judge: Judge { node, contents }, tables, fresh, remembers: false }
    }

    /// Every slot is on its way from one backend to another, of which one serves no more.
    fn moving() -> Self {
        let node = Node::default();
        let hop = node.backend_hop();
        let web = |vip, [one, two]: [&str; 2]| service(vip, vip, 80).backend(one, hop).backend(two, hop);
        let mut contents = Setup::new()
            .with(web("203.0.113.10", ["10.0.0.11:8080", "10.0.0.12:8080"]))
            .with(
                service("dns", "203.0.113.10", 53)
                    .udp()
                    .dsr()
                    .backend("10.0.0.13", hop)
                    .backend("10.0.0.14", hop),
            )
            .with(
                web("2001:db8:a::10", ["[fd00::11]:8080", "[fd00::12]:8080"])
                    .sticky()
                    .backend("[fd00::13]:8080", hop),
            )
            .with(web("203.0.113.30", ["10.0.0.15", "10.0.0.16"]).gue().from_source(2))
            .contents();
        let mut fresh = contents.host_tables();
        let mut moves = Moves::default();
        for (service, slots) in &contents.image.slots {
            let mut wanted = slots.clone();
            wanted.rotate_left(1);
            fresh.change_slots(*service, &wanted, &mut moves);
        }
        for backends in [fresh.backends_mut(), &mut contents.image.backends] {
            backends.entry(5).and_modify(|backend| backend.serving = 0);
        }
        let tables = RefCell::new(fresh.clone());
        Self { judge: Judge { node, contents }, tables, fresh, remembers: true }
    }

    fn play<'a>(&self, packets: impl Iterator<Item = &'a [u8]>) -> Vec<Fate> {
        let mut fates = Vec::new();
        let mut remembers = self.remembers;
        let mut before = Vec::new();
        for packet in packets {
            let frame = parse_any(&Buffer::new(packet), self.judge.contents.parameters.features);
            fates.push(self.check(packet, frame, &before));
            if let Ok(frame) = frame {
                let packet = self.judge.remembered(&frame, &before);
                remembers |= frame.part != Part::Whole || packet.direct;
                before.push(packet);
            }
        }
        if remembers {
            self.tables.borrow_mut().clone_from(&self.fresh);
        }
        fates
    }

    fn check(&self, packet: &[u8], frame: Result<Frame, Reject>, before: &[Before]) -> Fate {
        let tables = self.tables.borrow();
        let counted_before = tables.counted();
        let (verdict, sent) = run_on_host(packet, &self.judge.node, &tables);
        assert_eq!(tables.counted(), counted(counted_before, verdict, packet.len()), "{}", describe(packet));
        self.judge.is_right(verdict, frame, before, packet);
        match (verdict, frame) {
            (Verdict::Forward(forwarding), Ok(frame)) => {
                let features = self.judge.contents.parameters.features;
                assert_rewritten(packet, &frame, &forwarding, features, &sent);
            }
            (Verdict::Reply(reply), Ok(frame)) => assert_answers(packet, &frame, reply.kind, &sent),
            _ => assert_packets_equal("not forwarded", packet, &sent),
        }
        let (again, sent_again) = run_on_host(packet, &self.judge.node, &tables);
        assert_eq!(again, verdict, "{}", describe(packet));
        assert_packets_equal("sent again", &sent, &sent_again);
        verdict.into()
    }
}

/// What is counted when a packet of so many bytes has had this verdict.
pub(super) fn counted(mut before: Counted, verdict: Verdict<'_>, bytes: usize) -> Counted {
    let mut drop = |reason: Reason, service| {
        before.reasons[reason as usize] += 1;
        *before.services.entry(service).or_default() += 1;
    };
    match verdict {
        Verdict::Pass | Verdict::Defer(_) => {}
        Verdict::Drop(dropped) => drop(dropped.reason, dropped.service),
        Verdict::Reply(reply) => {
            if let Some(reason) = reply.reason {
                drop(reason, reply.service);
            }
            before.replies[reply.kind.number() as usize] += 1;
        }
        Verdict::Forward(forwarding) => {
            let backend = before.backends.entry(forwarding.backend).or_default();
            let (packets, sum) = match forwarding.direction {
                Direction::ToBackend => (&mut backend.packets, &mut backend.bytes),
                Direction::ToClient => (&mut backend.reply_packets, &mut backend.reply_bytes),
            };
            *packets += 1;
            *sum += bytes as u64;
            if forwarding.opens {
                *before.new_flows.entry(forwarding.backend).or_default() += 1;
            }
        }
    }
    before
}
