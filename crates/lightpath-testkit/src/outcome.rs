//! What the driver is told to do with a packet.

use lightpath_core::Verdict;

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
pub fn action(verdict: Verdict<'_>, ingress: u32) -> Action {
    match verdict {
        Verdict::Pass | Verdict::Defer(_) => Action::Pass,
        Verdict::Reply(_) => Action::Transmit,
        Verdict::Drop(_) => Action::Drop,
        Verdict::Forward(forwarding) => match forwarding.egress.hop() {
            None => Action::Pass,
            Some(hop) if hop.interface == ingress => Action::Transmit,
            Some(_) => Action::Redirect,
        },
    }
}
