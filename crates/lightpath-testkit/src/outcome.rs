//! What the driver is told to do with a packet.

use lightpath_core::{Egress, Verdict};

/// An `XDP_*` action of the kernel's uapi/linux/bpf.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    /// The packet ends here.
    Drop = 1,
    /// The kernel gets it.
    Pass = 2,
    /// It leaves by the interface on which it came.
    Transmit = 3,
    /// It leaves by another interface.
    Redirect = 4,
}

/// The action that carries out a verdict on a packet that came in on the interface with index `ingress`.
#[must_use]
pub fn action(verdict: Verdict, ingress: u32) -> Action {
    match verdict {
        Verdict::Pass => Action::Pass,
        Verdict::Drop(_) => Action::Drop,
        Verdict::Forward(forwarding) => match forwarding.egress {
            Egress::Kernel => Action::Pass,
            Egress::Link(hop) if hop.interface == ingress => Action::Transmit,
            Egress::Link(_) => Action::Redirect,
        },
    }
}
