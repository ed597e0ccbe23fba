//! Nobody looks on.

use lightpath_abi::{BackendNumber, ServiceIndex};
use lightpath_core::{Direction, Reason, ReplyKind};

#[inline(always)]
pub fn forwarded(_direction: Direction, _backend: BackendNumber) {}

#[inline(always)]
pub fn leaves_by(_interface: u32) {}

#[inline(always)]
pub fn answered(_kind: ReplyKind) {}

#[inline(always)]
pub fn dropped(_reason: Reason, _service: ServiceIndex) {}
