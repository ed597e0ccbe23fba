//! The packet of an XDP context.

#![expect(
    unsafe_code,
    reason = "packet memory is raw; each access is checked against its end, which the verifier proves"
)]

use core::marker::PhantomData;
use core::ptr;

use aya_ebpf::programs::XdpContext;
use lightpath_core::{OutOfBounds, Packet};

/// No header that is looked at lies further in. The verifier follows packet offsets only while they are small.
const MAX_OFFSET: usize = 1023;

/// The packet that the program was called for.
pub struct XdpPacket<'a> {
    start: usize,
    end: usize,
    context: PhantomData<&'a XdpContext>,
}

impl<'a> XdpPacket<'a> {
    #[inline(always)]
    pub fn new(context: &'a XdpContext) -> Self {
        Self { start: context.data(), end: context.data_end(), context: PhantomData }
    }

    /// The address of `N` bytes at `offset`, all within the packet.
    #[inline(always)]
    fn place<const N: usize>(&self, offset: usize) -> Result<usize, OutOfBounds> {
        if offset > MAX_OFFSET {
            return Err(OutOfBounds);
        }
        let place = self.start + offset;
        if place + N > self.end { Err(OutOfBounds) } else { Ok(place) }
    }
}

impl Packet for XdpPacket<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.end - self.start
    }

    #[inline(always)]
    fn load<const N: usize>(&self, offset: usize) -> Result<[u8; N], OutOfBounds> {
        let place = self.place::<N>(offset)? as *const [u8; N];
        // SAFETY: `place` found all `N` bytes within the packet, which nobody else writes while the program runs.
        Ok(unsafe { ptr::read_unaligned(place) })
    }

    #[inline(always)]
    fn store<const N: usize>(&mut self, offset: usize, bytes: [u8; N]) -> Result<(), OutOfBounds> {
        let place = self.place::<N>(offset)? as *mut [u8; N];
        // SAFETY: as in `load`; XDP programs may write to their packet.
        unsafe { ptr::write_unaligned(place, bytes) };
        Ok(())
    }
}
