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

    /// Bytes of the whole packet. A jumbo frame lies in several pieces, of which only the first is reached.
    fn total_length(&self) -> usize;

    /// Whether the whole packet has so many bytes.
    #[inline(always)]
    fn has(&self, bytes: usize) -> bool {
        bytes <= self.len() || bytes <= self.total_length()
    }

    /// The same offset, of which the kernel's verifier then knows nothing but that it is one: what it does not know it does not walk
    /// separately for each value.
    #[inline(always)]
    fn forget(&self, offset: usize) -> usize {
        offset
    }

    /// The `N` bytes from `offset` on.
    fn load<const N: usize>(&self, offset: usize) -> Result<[u8; N], OutOfBounds>;

    /// Overwrites the `N` bytes from `offset` on, or nothing.
    fn store<const N: usize>(&mut self, offset: usize, bytes: [u8; N]) -> Result<(), OutOfBounds>;

    /// Puts so many bytes of any content before the packet, or nothing: there is room for 200 or so.
    fn push(&mut self, bytes: usize) -> Result<(), OutOfBounds>;

    /// Takes so many bytes off the packet's front, or nothing.
    fn pull(&mut self, bytes: usize) -> Result<(), OutOfBounds>;

    /// Takes bytes off the packet's end until so many are left, or nothing.
    fn truncate(&mut self, length: usize) -> Result<(), OutOfBounds>;
}

/// An access beyond the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBounds;

/// A packet in ordinary memory, without room before it.
#[derive(Debug)]
pub struct SlicePacket<'a>(pub &'a mut [u8]);

impl Packet for SlicePacket<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn total_length(&self) -> usize {
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

    fn push(&mut self, _bytes: usize) -> Result<(), OutOfBounds> {
        Err(OutOfBounds)
    }

    fn pull(&mut self, bytes: usize) -> Result<(), OutOfBounds> {
        let rest = core::mem::take(&mut self.0);
        match rest.split_at_mut_checked(bytes) {
            Some((_, rest)) => {
                self.0 = rest;
                Ok(())
            }
            None => Err(OutOfBounds),
        }
    }

    fn truncate(&mut self, length: usize) -> Result<(), OutOfBounds> {
        let all = core::mem::take(&mut self.0);
        match all.split_at_mut_checked(length) {
            Some((start, _)) => {
                self.0 = start;
                Ok(())
            }
            None => Err(OutOfBounds),
        }
    }
}
