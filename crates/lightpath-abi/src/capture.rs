use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, BackendNumber, ServiceIndex};

/// Bytes of a packet that a copy has at most.
pub const MAX_SNAPLEN: u32 = 2048;

/// Which packets are copied for somebody who watches. All zero wants every packet, and 0 bytes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CaptureFilter {
    /// An address that the packet comes from or was sent to, as far as the mask covers.
    pub client: Address,
    /// The bits of `client` that count.
    pub client_mask: Address,
    /// One packet in so many; 0 is as 1.
    pub every: u32,
    /// Bytes that are copied of it before, and of it after; at most [`MAX_SNAPLEN`].
    pub snaplen: u32,
    /// What became of it, by bits: `1 << Ending`. 0 is whatever became of it.
    pub endings: u32,
    /// Why it was dropped, by bits: `1 << reason`. 0 is for any reason or none.
    pub reasons: u32,
    /// The service it belongs to; 0 is any or none.
    pub service: ServiceIndex,
    /// The backend it went to or came from; 0 is any or none.
    pub backend: BackendNumber,
    /// The port that goes with `client`; 0 is any.
    pub client_port: u16,
    /// Zero.
    pub reserved: u16,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Ending {
    /// It was handed to the kernel as it was.
    Passed = 0,
    /// It was dropped.
    Dropped = 1,
    /// It went on to a backend.
    ToBackend = 2,
    /// It went back to a client.
    ToClient = 3,
    /// It was answered.
    Answered = 4,
}

impl Ending {
    /// Every fate, in the order of its number.
    pub const ALL: [Self; 5] = [Self::Passed, Self::Dropped, Self::ToBackend, Self::ToClient, Self::Answered];

    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Dropped => "dropped",
            Self::ToBackend => "to-backend",
            Self::ToClient => "to-client",
            Self::Answered => "answered",
        }
    }
}

/// What is said of a copied packet. In the ring buffer its bytes follow: `kept` as it came, and `kept_after` as it left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Sample {
    /// When it came, in nanoseconds of the monotonic clock.
    pub time: u64,
    /// Its length as it came, from the Ethernet header on.
    pub length: u32,
    /// Its length as it left.
    pub length_after: u32,
    /// Bytes that were copied as it came.
    pub kept: u32,
    /// Bytes that were copied as it left; 0 when it did not.
    pub kept_after: u32,
    /// Index of the interface that it came by.
    pub interface: u32,
    /// The receive queue.
    pub queue: u32,
    /// Index of the interface that it left by; 0 when it did not, or the kernel sent it.
    pub egress: u32,
    /// The CPU.
    pub cpu: u32,
    /// The service it belongs to; 0 is none, or one that is not known.
    pub service: ServiceIndex,
    /// The backend it went to or came from; 0 is none.
    pub backend: BackendNumber,
    /// A [`Ending`].
    pub ending: u8,
    /// Why it was dropped or answered, plus one; 0 is for no reason.
    pub reason: u8,
    /// How it was answered, by the number of the kind.
    pub answer: u8,
    /// Zero.
    pub reserved: u8,
}

/// What one CPU knows of the packet in hand while packets are copied.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct Capturing {
    /// Packets since the last one that was copied.
    pub passed: u32,
    /// Whether the packet in hand is copied: 1, else 0.
    pub is_on: u32,
    /// The XDP action that was decided on.
    pub action: u32,
    /// Zero.
    pub reserved: u32,
    /// What is known of it so far.
    pub sample: Sample,
    /// Its bytes.
    pub bytes: [u8; 2 * MAX_SNAPLEN as usize],
}

const _: () = assert!(size_of::<CaptureFilter>() == 56);
const _: () = assert!(size_of::<Sample>() == 48);
const _: () = assert!(size_of::<Capturing>() == 16 + size_of::<Sample>() + 2 * MAX_SNAPLEN as usize);
