//! Every packet that is Lightpath's is counted once: with its backend when it goes on, with its reason when it ends.

use lightpath_abi::{BackendCounters, BackendNumber, ServiceIndex};

use crate::{Direction, Reason, ReplyKind, Verdict};

/// Where packets are counted. In the kernel each CPU counts for itself.
pub trait Counters {
    /// A packet to or from a backend went on.
    fn forwarded(&self, direction: Direction, backend: BackendNumber, bytes: usize);

    /// A packet that went on to a backend opened a flow.
    fn opened(&self, backend: BackendNumber);

    /// A packet was answered.
    fn replied(&self, kind: ReplyKind);

    /// Whether this node may send one more ICMP error of its own now; if so, it is counted as sent. See
    /// [`Budget`](crate::Budget).
    fn permits_error(&self) -> bool;

    /// A packet ended here. The service is 0 when it is not known.
    fn dropped(&self, reason: Reason, service: ServiceIndex);
}

/// Counts what became of a packet of so many bytes. What is passed on untouched is the kernel's to count.
#[inline(always)]
pub fn account<C: Counters>(verdict: &Verdict<'_>, bytes: usize, counters: &C) {
    match verdict {
        Verdict::Pass | Verdict::Defer(_) => {}
        Verdict::Reply(reply) => {
            counters.replied(reply.kind);
            if let Some(reason) = reply.reason {
                counters.dropped(reason, reply.service);
            }
        }
        Verdict::Drop(drop) => counters.dropped(drop.reason, drop.service),
        Verdict::Forward(forwarding) => {
            counters.forwarded(forwarding.direction, forwarding.backend, bytes);
            if forwarding.opens {
                counters.opened(forwarding.backend);
            }
        }
    }
}

/// Counts a packet with its backend.
#[inline(always)]
pub fn count(counters: &mut BackendCounters, direction: Direction, bytes: usize) {
    let (packets, sum) = match direction {
        Direction::ToBackend => (&mut counters.packets, &mut counters.bytes),
        Direction::ToClient => (&mut counters.reply_packets, &mut counters.reply_bytes),
    };
    *packets += 1;
    *sum += bytes as u64;
}
