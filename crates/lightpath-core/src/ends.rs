use lightpath_abi::{NextHop, ServiceIndex, Session};

use crate::apply::apply_session;
use crate::fast::end;
use crate::{
    Counters, Direction, Drop, Egress, Forwarding, Frame, OutOfBounds, Packet, Part, Reason, Reply,
    ReplyKind, Rewrite, Stage, Tables, Verdict, fragments,
};

/// The ends that a packet of a session may come to, each of which is called where it is decided on.
///
/// A verdict that is returned, and looked at by the caller, is carried there in memory if it has come about in many ways. These are
/// inlined where they are called, and of the verdict only what matters there is left.
pub(crate) struct Ends<'p, P, T, F> {
    pub(crate) frame: &'p Frame,
    pub(crate) packet: &'p mut P,
    pub(crate) tables: &'p T,
    pub(crate) finish: &'p F,
}

impl<P: Packet, T: Tables + Counters, F> Ends<'_, P, T, F> {
    /// The packet is not ours.
    #[inline(always)]
    pub(crate) fn pass<'a, O>(self) -> O
    where
        F: Fn(Verdict<'a>) -> O,
    {
        (self.finish)(Verdict::Pass)
    }

    /// The packet ends here.
    #[inline(always)]
    pub(crate) fn drop<'a, O>(self, reason: Reason, service: ServiceIndex) -> O
    where
        F: Fn(Verdict<'a>) -> O,
    {
        end(Verdict::Drop(Drop { reason, service }), self.packet.len(), self.tables, self.finish)
    }

    /// The packet becomes an answer, in a stage that has room for it.
    #[inline(always)]
    pub(crate) fn reply<'a, O>(self, kind: ReplyKind, reason: Reason, service: ServiceIndex) -> O
    where
        F: Fn(Verdict<'a>) -> O,
    {
        self.tables.set_answer(Reply { kind, reason: Some(reason), service }.to_word());
        (self.finish)(Verdict::Defer(Stage::Answer))
    }

    /// The packet needs a session.
    #[inline(always)]
    pub(crate) fn open<'a, O>(self) -> O
    where
        F: Fn(Verdict<'a>) -> O,
    {
        (self.finish)(Verdict::Defer(Stage::Opening))
    }

    /// The packet goes to the backend of a session.
    #[inline(always)]
    pub(crate) fn send_to_backend<'a, O>(mut self, session: &'a Session, hop: &'a NextHop) -> O
    where
        F: Fn(Verdict<'a>) -> O,
    {
        if let Err(OutOfBounds) = self.send(session, Direction::ToBackend, Some(hop)) {
            return self.drop(Reason::Rewrite, session.service());
        }
        let opens = self.frame.syn;
        if opens {
            self.tables.opened(session.number());
        }
        (self.finish)(Verdict::Forward(toward_backend(session, hop, opens)))
    }

    /// The packet goes to the client of a session; through the kernel, if the next hop has no interface.
    #[inline(always)]
    pub(crate) fn send_to_client<'a, O>(mut self, session: &'a Session, hop: &NextHop) -> O
    where
        F: Fn(Verdict<'a>) -> O,
    {
        let known = if hop.interface == 0 { None } else { Some(hop) };
        if let Err(OutOfBounds) = self.send(session, Direction::ToClient, known) {
            return self.drop(Reason::Rewrite, session.service());
        }
        (self.finish)(Verdict::Forward(toward_client(session, hop)))
    }

    /// Rewrites the packet, and counts it.
    #[inline(always)]
    fn send(
        &mut self,
        session: &Session,
        direction: Direction,
        hop: Option<&NextHop>,
    ) -> Result<(), OutOfBounds> {
        let Self { frame, packet, tables, .. } = self;
        if frame.part == Part::First {
            fragments::remember(frame, *tables);
        }
        let bytes = frame.bytes(packet.len());
        apply_session(session, direction, hop, frame, *packet, tables.parameters().features)?;
        tables.forwarded(direction, session.number(), bytes);
        Ok(())
    }
}

/// A packet of a session goes to its backend.
#[inline(always)]
pub(crate) fn toward_backend<'a>(session: &'a Session, hop: &'a NextHop, opens: bool) -> Forwarding<'a> {
    Forwarding {
        direction: Direction::ToBackend,
        backend: session.number(),
        service: session.service(),
        rewrite: Rewrite::ToBackend(session),
        egress: Egress::Backend(hop),
        opens,
    }
}

/// A packet of a session goes to its client; through the kernel, if the next hop has no interface.
#[inline(always)]
pub(crate) fn toward_client<'a>(session: &'a Session, hop: &NextHop) -> Forwarding<'a> {
    Forwarding {
        direction: Direction::ToClient,
        backend: session.number(),
        service: session.service(),
        rewrite: Rewrite::ToClient(session),
        egress: Egress::Routed(*hop),
        opens: false,
    }
}
