/// A packet from its Ethernet header on. Every access is checked, so that the verifier can follow it and no length in
/// the packet needs to be believed.
pub trait Packet {
    /// Bytes that [`load`](Self::load) and [`store`](Self::store) can reach.
    fn len(&self) -> usize;

    /// Whether there is nothing to reach.
    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `N` bytes from `offset` on.
    fn load<const N: usize>(&self, offset: usize) -> Result<[u8; N], OutOfBounds>;

    /// Overwrites the `N` bytes from `offset` on, or nothing.
    fn store<const N: usize>(&mut self, offset: usize, bytes: [u8; N]) -> Result<(), OutOfBounds>;
}

/// An access beyond the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBounds;

/// A packet in ordinary memory.
#[derive(Debug)]
pub struct SlicePacket<'a>(pub &'a mut [u8]);

impl Packet for SlicePacket<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn load<const N: usize>(&self, offset: usize) -> Result<[u8; N], OutOfBounds> {
        self.0.get(offset..).and_then(|rest| rest.first_chunk()).copied().ok_or(OutOfBounds)
    }

    fn store<const N: usize>(&mut self, offset: usize, bytes: [u8; N]) -> Result<(), OutOfBounds> {
        let place = self.0.get_mut(offset..).and_then(|rest| rest.first_chunk_mut()).ok_or(OutOfBounds)?;
        *place = bytes;
        Ok(())
    }
}
