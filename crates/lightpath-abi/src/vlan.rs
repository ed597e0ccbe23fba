use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What an interface is to the routes that lead to it: by itself, as most are and as all zero says, or on another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct VlanInterface {
    /// Index of the interface that its packets leave by; 0 if it is no VLAN interface, or on nothing that XDP can send by.
    pub parent: u32,
    /// The VLAN, 1 to 4094, whose tag they get.
    pub vlan: u16,
    /// Zero.
    pub reserved: u16,
}

const _: () = assert!(size_of::<VlanInterface>() == 8);

impl VlanInterface {
    /// Interfaces that are known, by index from 0.
    pub const PLACES: u32 = 4096;
    /// One that only the kernel can send by, such as a VLAN within a VLAN.
    pub const KERNELS: Self = Self { parent: 0, vlan: u16::MAX, reserved: 0 };
}
