use core::ops::BitOr;

/// What a configuration needs of the packet path.
///
/// The loader stores it in the program's read-only data, where the verifier knows its value: code behind a feature that
/// is off is removed before it is compiled to machine code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Features(pub u32);

impl Features {
    /// Some service has an IPv4 VIP.
    pub const IPV4: Self = Self(1);
    /// Some service has an IPv6 VIP.
    pub const IPV6: Self = Self(1 << 1);
    /// Packets may carry 802.1Q or 802.1ad tags.
    pub const VLAN: Self = Self(1 << 2);
    /// Some service forwards by `nat`, so replies have to be undone.
    pub const NAT: Self = Self(1 << 3);
    /// Some service forwards by `dsr`.
    pub const DSR: Self = Self(1 << 4);
    /// Some service has a range of ports or every port.
    pub const PORT_RANGES: Self = Self(1 << 5);
    /// Some service is sticky by source address.
    pub const STICKY: Self = Self(1 << 6);

    /// Some service forwards by `ipip`.
    pub const IPIP: Self = Self(1 << 7);
    /// Some service forwards by `gue`.
    pub const GUE: Self = Self(1 << 8);
    /// Some service forwards by `fullnat`.
    pub const FULLNAT: Self = Self(1 << 9);
    /// Some backend's address is of the other family than its VIP.
    pub const CROSS_FAMILY: Self = Self(1 << 10);
    /// Some QUIC service finds backends by connection ID.
    pub const QUIC: Self = Self(1 << 11);
    /// Replies may be routed to VLAN interfaces.
    pub const VLAN_ROUTES: Self = Self(1 << 12);

    /// Everything the packet path can do.
    pub const ALL: Self = Self((1 << 13) - 1);

    const NAMES: [(Self, &'static str); 13] = [
        (Self::IPV4, "ipv4"),
        (Self::IPV6, "ipv6"),
        (Self::VLAN, "vlan"),
        (Self::NAT, "nat"),
        (Self::DSR, "dsr"),
        (Self::PORT_RANGES, "port-ranges"),
        (Self::STICKY, "sticky"),
        (Self::IPIP, "ipip"),
        (Self::GUE, "gue"),
        (Self::FULLNAT, "fullnat"),
        (Self::CROSS_FAMILY, "cross-family"),
        (Self::QUIC, "quic"),
        (Self::VLAN_ROUTES, "vlan-routes"),
    ];

    /// Whether all of `other` is on.
    #[inline(always)]
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of what is on, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(feature, _)| self.has(*feature)).map(|(_, name)| name)
    }
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
