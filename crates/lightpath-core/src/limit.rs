//! How many ICMP errors this node makes of packets that others send.

/// ICMP errors that a CPU sends in a second, at most.
///
/// An error may be bigger than what brings it about, whose source address may be forged, so there has to be an end to them (RFC
/// 1812, 4.3.2.8; RFC 4443, 2.4 (f)). TCP resets and echo replies are no bigger than what asks for them and need none: to hold
/// resets back would only make clients wait for what is not there.
pub const ERRORS_PER_SECOND: u32 = 1000;

/// What a CPU has sent of its errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Budget {
    /// The second it is about, of the monotonic clock.
    second: u32,
    /// Errors sent in it.
    spent: u32,
}

impl Budget {
    /// Whether one more error may be sent in the second `now`, and if so, counts it.
    #[inline(always)]
    pub fn permits(&mut self, now: u32) -> bool {
        if self.second != now {
            *self = Self { second: now, spent: 0 };
        }
        if self.spent >= ERRORS_PER_SECOND {
            return false;
        }
        self.spent += 1;
        true
    }
}
