extern crate std;

use std::vec;
use std::vec::Vec;

use crate::{OutOfBounds, Packet};

/// Bytes that a packet may grow by at its front, as in the kernel: `XDP_PACKET_HEADROOM` of uapi/linux/bpf.h, less what the
/// kernel keeps there for itself.
const HEADROOM: usize = 256 - 40;

/// A packet in ordinary memory that may grow at its front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    /// A packet of these bytes.
    #[must_use]
    pub fn new(packet: &[u8]) -> Self {
        let mut bytes = vec![0; HEADROOM];
        bytes.extend(packet);
        Self { bytes, start: HEADROOM }
    }

    /// The packet as it is now.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

impl Packet for Buffer {
    fn len(&self) -> usize {
        self.bytes().len()
    }

    fn total_length(&self) -> usize {
        self.len()
    }

    fn load<const N: usize>(&self, offset: usize) -> Result<[u8; N], OutOfBounds> {
        self.bytes().get(offset..).and_then(|rest| rest.first_chunk()).copied().ok_or(OutOfBounds)
    }

    fn store<const N: usize>(&mut self, offset: usize, bytes: [u8; N]) -> Result<(), OutOfBounds> {
        let rest = self.bytes.get_mut(self.start + offset..);
        *rest.and_then(|rest| rest.first_chunk_mut()).ok_or(OutOfBounds)? = bytes;
        Ok(())
    }

    fn push(&mut self, bytes: usize) -> Result<(), OutOfBounds> {
        self.start = self.start.checked_sub(bytes).ok_or(OutOfBounds)?;
        Ok(())
    }

    fn pull(&mut self, bytes: usize) -> Result<(), OutOfBounds> {
        // The kernel leaves at least an Ethernet header.
        if bytes + 14 > self.len() {
            return Err(OutOfBounds);
        }
        self.start += bytes;
        Ok(())
    }

    fn truncate(&mut self, length: usize) -> Result<(), OutOfBounds> {
        if length > self.len() {
            return Err(OutOfBounds);
        }
        self.bytes.truncate(self.start + length);
        Ok(())
    }
}
