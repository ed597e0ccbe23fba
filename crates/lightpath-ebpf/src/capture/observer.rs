//! What becomes of the packet in hand, noted for its copy.

use lightpath_abi::{BackendNumber, Ending, ServiceIndex};
use lightpath_core::{Direction, Reason, ReplyKind};

use crate::copy::copied;

#[inline(always)]
pub fn forwarded(direction: Direction, backend: BackendNumber) {
    if let Some(state) = copied() {
        let ending = match direction {
            Direction::ToBackend => Ending::ToBackend,
            Direction::ToClient => Ending::ToClient,
        };
        state.sample.ending = ending as u8;
        state.sample.backend = backend;
    }
}

#[inline(always)]
pub fn leaves_by(interface: u32) {
    if let Some(state) = copied() {
        state.sample.egress = interface;
    }
}

#[inline(always)]
pub fn answered(kind: ReplyKind) {
    if let Some(state) = copied() {
        state.sample.ending = Ending::Answered as u8;
        state.sample.answer = kind.number() as u8;
        state.sample.egress = state.sample.interface;
    }
}

/// It may have been answered.
#[inline(always)]
pub fn dropped(reason: Reason, service: ServiceIndex) {
    if let Some(state) = copied() {
        if state.sample.ending != Ending::Answered as u8 {
            state.sample.ending = Ending::Dropped as u8;
        }
        state.sample.reason = reason as u8 + 1;
        state.sample.service = service;
    }
}
