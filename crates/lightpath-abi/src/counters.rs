use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What one CPU forwarded to and from a backend. A backend belongs to one service, so a service's figures are sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BackendCounters {
    /// Packets sent to the backend.
    pub packets: u64,
    /// Their bytes as received, from the Ethernet header on, without frame check sequence.
    pub bytes: u64,
    /// Packets of the backend sent back to clients; direct server return bypasses this node and counts none.
    pub reply_packets: u64,
    /// Their bytes.
    pub reply_bytes: u64,
}

/// What one CPU dropped of a service's packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ServiceCounters {
    /// Packets dropped, whatever the reason.
    pub dropped: u64,
}

/// What one CPU took out of tunnels of one format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TunnelCounters {
    /// Packets unwrapped.
    pub packets: u64,
    /// Their bytes as received, outer headers included, from the Ethernet header on.
    pub bytes: u64,
}

const _: () = assert!(size_of::<BackendCounters>() == 32);
const _: () = assert!(size_of::<TunnelCounters>() == 16);
const _: () = assert!(size_of::<ServiceCounters>() == 8);

impl BackendCounters {
    /// Adds what another CPU counted.
    pub fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.reply_packets += other.reply_packets;
        self.reply_bytes += other.reply_bytes;
    }
}

impl TunnelCounters {
    /// Counts a packet of so many bytes.
    #[inline(always)]
    pub const fn count(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }

    /// Adds what another CPU counted.
    pub const fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}
