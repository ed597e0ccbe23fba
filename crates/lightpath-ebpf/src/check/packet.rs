//! The packet of a traffic control context.

#![expect(
    unsafe_code,
    reason = "packet memory is raw; each access is checked against its end, which the verifier proves"
)]

use core::hint::black_box;
use core::ptr;

use aya_ebpf::bindings::bpf_adj_room_mode::BPF_ADJ_ROOM_MAC;
use aya_ebpf::programs::TcContext;
use lightpath_core::{OutOfBounds, Packet};

/// As in XDP: the verifier follows packet offsets only while they are small.
const MAX_OFFSET: usize = 1023;
/// Bytes that all headers together take at most, as long as there are no extension headers.
const HEADERS: u32 = 128;

/// The packet that the program was called for, from its Ethernet header on.
pub struct SkbPacket<'a> {
    start: usize,
    end: usize,
    /// What room before the packet is for, as flags of `bpf_skb_adjust_room`.
    room: u64,
    context: &'a TcContext,
}

impl<'a> SkbPacket<'a> {
    /// The packet with its headers in one piece.
    #[inline(always)]
    pub fn new(context: &'a TcContext, room: u64) -> Self {
        let wanted = if context.len() < HEADERS { context.len() } else { HEADERS };
        if context.data() + wanted as usize > context.data_end() {
            // Refused, it stays as it is: what is not reached is not there.
            let _ = context.pull_data(wanted);
        }
        Self { start: context.data(), end: context.data_end(), room, context }
    }

    /// The address of `N` bytes at `offset`, all within the packet.
    #[inline(always)]
    fn place<const N: usize>(&self, offset: usize) -> Result<usize, OutOfBounds> {
        // Each access is checked by itself, as in the rare stages of the data plane, and for the same reason.
        let offset = black_box(offset);
        if offset > MAX_OFFSET {
            return Err(OutOfBounds);
        }
        let place = self.start + offset;
        let bytes = if N == 1 { black_box(N) } else { N };
        if place + bytes > self.end { Err(OutOfBounds) } else { Ok(place) }
    }
}

impl Packet for SkbPacket<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.end - self.start
    }

    #[inline(always)]
    fn total_length(&self) -> usize {
        self.context.len() as usize
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
        // SAFETY: as in `load`; the kernel has made the packet this program's own before it was called.
        unsafe { ptr::write_unaligned(place, bytes) };
        Ok(())
    }

    /// Behind the Ethernet header, where the kernel wants a tunnel's header to be, so that it knows of the packet within: the caller
    /// writes both anew.
    #[inline(always)]
    fn push(&mut self, bytes: usize) -> Result<(), OutOfBounds> {
        let grown = self.context.adjust_room(bytes as i32, BPF_ADJ_ROOM_MAC, self.room);
        (self.start, self.end) = (self.context.data(), self.context.data_end());
        grown.map_err(|_| OutOfBounds)
    }

    #[inline(always)]
    fn pull(&mut self, _bytes: usize) -> Result<(), OutOfBounds> {
        Err(OutOfBounds)
    }

    #[inline(always)]
    fn truncate(&mut self, _length: usize) -> Result<(), OutOfBounds> {
        Err(OutOfBounds)
    }
}
