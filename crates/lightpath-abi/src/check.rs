use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Backend, Source};

/// The first mark of health checks that go through the data plane: a backend is told to their program by the socket's mark, which is
/// this and the backend's number in the lower half ("lp" in ASCII, so that who meets one in a rule of theirs can tell whose it is).
pub const FIRST_CHECK_MARK: u32 = 0x6c70_0000;

/// Backends that can be checked through the data plane at a time.
pub const MAX_CHECKED: u32 = 1 << 16;

/// The hardware address of the device that such checks leave by.
pub const CHECK_DEVICE_MAC: [u8; 6] = [0x02, b'l', b'p', 0, 0, 1];

/// How packets of a health check reach their backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CheckedBackend {
    /// Its address and next hop.
    pub backend: Backend,
    /// The addresses that its tunnel may come from; unused without one.
    pub source: Source,
    /// The [`Forward`](crate::Forward) of its service.
    pub forward: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// A flow of a health check, by which its replies are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CheckFlow {
    /// The VIP.
    pub vip: Address,
    /// This node's address.
    pub node: Address,
    /// The VIP's port in the upper half, this node's in the lower.
    pub ports: u32,
    /// The transport protocol.
    pub protocol: u32,
}

const _: () = assert!(size_of::<CheckedBackend>() == 104);
const _: () = assert!(size_of::<CheckFlow>() == 40);
