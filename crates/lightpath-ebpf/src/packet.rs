//! The packet of an XDP context.

#![expect(
    unsafe_code,
    reason = "packet memory is raw; each access is checked against its end, which the verifier proves"
)]

use core::hint::black_box;
use core::ptr;

use aya_ebpf::Global;
use aya_ebpf::helpers::generated::{bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_get_buff_len};
use aya_ebpf::programs::XdpContext;
use lightpath_core::{OutOfBounds, Packet};

/// No header that is looked at lies further in. The verifier follows packet offsets only while they are small.
const MAX_OFFSET: usize = 1023;

/// 0, which the verifier does not know, because this is no read-only data.
#[unsafe(link_section = ".data")]
static UNKNOWN: Global<usize> = Global::new(0);

/// The packet that the program was called for.
///
/// In rare stages each access is checked against the end by itself. The compiler would leave out a check that an earlier one
/// implies, but where it then runs out of registers and computes the address again, the verifier has not seen that address
/// checked. In frequent ones it has not come to that, and a check costs time.
pub struct XdpPacket<'a, const RARE: bool> {
    start: usize,
    end: usize,
    context: &'a XdpContext,
}

impl<'a, const RARE: bool> XdpPacket<'a, RARE> {
    #[inline(always)]
    pub fn new(context: &'a XdpContext) -> Self {
        Self { start: context.data(), end: context.data_end(), context }
    }

    /// The address of `N` bytes at `offset`, all within the packet.
    #[inline(always)]
    fn place<const N: usize>(&self, offset: usize) -> Result<usize, OutOfBounds> {
        let offset = if RARE { black_box(offset) } else { offset };
        if offset > MAX_OFFSET {
            return Err(OutOfBounds);
        }
        let place = self.start + offset;
        // For one byte the compiler would ask whether `place >= end`, of which the verifier learns nothing.
        let bytes = if RARE && N == 1 { black_box(N) } else { N };
        if place + bytes > self.end { Err(OutOfBounds) } else { Ok(place) }
    }

    /// Moves the front of the packet by so many bytes, to the front if that is negative.
    #[inline(always)]
    fn adjust_head(&mut self, by: i32) -> Result<(), OutOfBounds> {
        // SAFETY: the helper moves the packet's start within its buffer, or refuses; addresses from before are not used again.
        let refused = unsafe { bpf_xdp_adjust_head(self.context.ctx, by) };
        self.find(refused)
    }

    /// Where the packet is after it was changed.
    #[inline(always)]
    fn find(&mut self, refused: i64) -> Result<(), OutOfBounds> {
        (self.start, self.end) = (self.context.data(), self.context.data_end());
        if refused == 0 { Ok(()) } else { Err(OutOfBounds) }
    }
}

impl<const RARE: bool> Packet for XdpPacket<'_, RARE> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.end - self.start
    }

    #[inline(always)]
    fn total_length(&self) -> usize {
        // SAFETY: the helper takes the context and answers with a number.
        (unsafe { bpf_xdp_get_buff_len(self.context.ctx) }) as usize
    }

    #[inline(always)]
    fn forget(&self, offset: usize) -> usize {
        if RARE { offset + UNKNOWN.load() } else { offset }
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

    #[inline(always)]
    fn push(&mut self, bytes: usize) -> Result<(), OutOfBounds> {
        self.adjust_head(-(bytes as i32))
    }

    #[inline(always)]
    fn pull(&mut self, bytes: usize) -> Result<(), OutOfBounds> {
        self.adjust_head(bytes as i32)
    }

    #[inline(always)]
    fn truncate(&mut self, length: usize) -> Result<(), OutOfBounds> {
        let by = length as i32 - self.total_length() as i32;
        if by > 0 {
            return Err(OutOfBounds);
        }
        // SAFETY: as in `adjust_head`, for the packet's end.
        let refused = unsafe { bpf_xdp_adjust_tail(self.context.ctx, by) };
        self.find(refused)
    }
}
