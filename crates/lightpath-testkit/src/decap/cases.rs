use lightpath_abi::TunnelCounters;
use lightpath_core::host::Unwrapped;
use lightpath_core::{Format, Refusal};

use super::{opened, refused};
use crate::packet::PacketBuilder;
use crate::{Action, describe, difference};

/// One row of the table.
#[derive(Clone, Debug)]
pub struct DecapCase {
    /// What the row is about.
    pub what: String,
    /// The packet as received.
    pub packet: Vec<u8>,
    /// What has to become of it.
    pub expected: DecapExpected,
}

/// What has to become of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecapExpected {
    /// The kernel gets it untouched, and nothing is counted.
    Pass,
    /// The kernel gets what was in the tunnel: this.
    Unwrapped(Format, Vec<u8>),
    /// It ends here; with an unlisted source only where the host is strict, else the kernel gets it untouched.
    Refused(Refusal),
}

impl DecapCase {
    pub(super) fn pass(what: &str, packet: Vec<u8>) -> Self {
        Self { what: what.to_owned(), packet, expected: DecapExpected::Pass }
    }

    pub(super) fn unwrap(what: &str, format: Format, packet: &PacketBuilder, inner: &PacketBuilder) -> Self {
        let expected = DecapExpected::Unwrapped(format, inner.build());
        Self { what: what.to_owned(), packet: packet.build(), expected }
    }

    pub(super) fn refuse(what: &str, refusal: Refusal, packet: Vec<u8>) -> Self {
        Self { what: what.to_owned(), packet, expected: DecapExpected::Refused(refusal) }
    }

    /// Compares what the row expects with what became of its packet: an `XDP_*` action, bytes, and what was counted for it.
    pub fn check(&self, strict: bool, action: u32, packet: &[u8], counted: &Unwrapped) -> Result<(), String> {
        let mut expected = Unwrapped::default();
        let (expected_action, expected_packet) = match &self.expected {
            DecapExpected::Pass => (Action::Pass, &self.packet),
            DecapExpected::Unwrapped(format, inner) => {
                let bytes = self.packet.len() as u64;
                expected.unwrapped[*format as usize] = TunnelCounters { packets: 1, bytes };
                (Action::Pass, inner)
            }
            DecapExpected::Refused(refusal) => {
                expected.refused[*refusal as usize] = 1;
                let passed = *refusal == Refusal::UnlistedSource && !strict;
                (if passed { Action::Pass } else { Action::Drop }, &self.packet)
            }
        };
        let fail = |text: String| Err(format!("{}: {text}\n{}", self.what, describe(&self.packet)));
        if action != expected_action as u32 {
            return fail(format!("action {action} instead of {expected_action:?}, counted {counted:?}"));
        }
        if *counted != expected {
            return fail(format!("counted {counted:?} instead of {expected:?}"));
        }
        // What is dropped is gone, in whatever state.
        if expected_action == Action::Drop {
            return Ok(());
        }
        difference(expected_packet, packet).map_or(Ok(()), fail)
    }
}

/// Every row.
#[must_use]
pub fn decap_cases() -> Vec<DecapCase> {
    [opened::cases(), refused::cases(), refused::passed()].concat()
}
